//! `hubtoken hub serve`, from its first line to its exit.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;

/// A test that takes longer than this has hung.
const HANG_LIMIT: Duration = Duration::from_mins(5);

struct Flag(AtomicBool);

impl Interrupt for Flag {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Standard output, read by another thread.
struct Pipe(Sender<Vec<u8>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let _ = self.0.send(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Serves while `visit` runs with the line that was announced.
fn serve(machine: &Machine, arguments: &[&str], visit: impl FnOnce(&str)) -> u8 {
    let flag = Flag(AtomicBool::new(false));
    let (sender, receiver): (_, Receiver<Vec<u8>>) = channel();
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| {
            let arguments = [&["hub", "serve"], arguments].concat();
            machine.run_into(
                &arguments,
                (&mut Pipe(sender), &mut Vec::new()),
                None,
                &flag,
            )
        });
        let announced = receiver.recv_timeout(HANG_LIMIT).unwrap();
        visit(&String::from_utf8(announced).unwrap());
        flag.0.store(true, Ordering::Relaxed);
        serving.join().unwrap()
    })
}

#[test]
fn a_hub_is_announced_administered_and_stopped() {
    let mut machine = Machine::new();
    machine.set("HUBTOKEN_HUB_DATA", "data of mine");
    let code = serve(&machine, &["--json"], |line| {
        let announced: Value = serde_json::from_str(line).unwrap();
        assert_eq!(announced["temporary"], false);
        let folder = std::path::Path::new(announced["data"].as_str().unwrap());
        assert!(folder.ends_with("data of mine"));
        let key = std::fs::read_to_string(announced["admin_key_file"].as_str().unwrap()).unwrap();
        assert!(!line.contains(key.trim()));
        let ready = machine.json(&["hub", "wait"], 0);
        assert_eq!(ready["local_endpoint"], announced["local_endpoint"]);
        assert_eq!(machine.run(&["hub", "user", "create", "alice"]).code, 0);
        let value = machine.json(
            &[
                "hub", "token", "create", "alice", "--name", "a", "--role", "read",
            ],
            0,
        );
        assert!(value["token"].as_str().unwrap().starts_with("hf_"));
        let busy = machine.json(&["hub", "serve"], 1);
        assert!(
            busy["error"]["message"]
                .as_str()
                .unwrap()
                .contains("in use by another Hub")
        );
    });
    assert_eq!(code, 0);
    assert_eq!(machine.run(&["hub", "user", "list"]).code, 3);
}

/// A script may wait before the Hub that it has started has made its folder.
#[test]
fn a_hub_is_waited_for_from_before_it_starts() {
    let mut machine = Machine::new();
    machine.set("HUBTOKEN_HUB_DATA", "later");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| machine.run(&["hub", "wait", "--timeout", "300"]));
        serve(&machine, &[], |_| {
            let ran = waiting.join().unwrap();
            assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
            assert!(
                ran.out.starts_with("the Hub answers at http://127.0.0.1:"),
                "{ran:?}"
            );
        });
    });
    assert_eq!(machine.run(&["hub", "wait", "--timeout", "0"]).code, 3);
    assert_eq!(machine.run(&["hub", "wait", "--timeout", "soon"]).code, 2);
    machine.environment.unset("HUBTOKEN_HUB_DATA");
    assert_eq!(machine.run(&["hub", "wait"]).code, 2);
    let pressed = After(AtomicUsize::new(0));
    let wait = ["hub", "wait", "--data", "never"];
    assert_eq!(machine.run_with(&wait, None, &pressed).code, 130);
}

/// What a Hub that was killed left behind says nothing of the next one.
#[test]
fn a_hub_that_was_killed_is_not_waited_at() {
    let mut machine = Machine::new();
    machine.set("HUBTOKEN_HUB_DATA", "data");
    machine.write("data/hub.json", "{\"endpoint\": \"http://127.0.0.1:9\"}");
    machine.write("data/hub.lock", "");
    machine.write("data/admin-key", "hubtoken_admin_x");
    assert_eq!(machine.run(&["hub", "wait", "--timeout", "0"]).code, 3);
}

#[test]
fn a_throw_away_hub_says_how_to_use_it() {
    let machine = Machine::new();
    let mut folder = PathBuf::new();
    let code = serve(&machine, &["--whoami-limit", "5"], |text| {
        assert!(
            text.contains("export HF_ENDPOINT=http://127.0.0.1:"),
            "{text}"
        );
        assert!(text.contains("temporary, removed at the end"), "{text}");
        let line = text
            .lines()
            .find(|line| line.contains("HUBTOKEN_HUB_DATA="))
            .unwrap();
        folder = line.rsplit('=').next().unwrap().into();
        assert!(folder.join("admin-key").exists());
    });
    assert_eq!(code, 0);
    assert!(!folder.exists());
}

#[test]
fn what_cannot_be_served_is_told() {
    let machine = Machine::new();
    assert_eq!(machine.run(&["hub", "serve", "--host", "0.0.0.0"]).code, 2);
    assert_eq!(
        machine.run(&["hub", "serve", "--whoami-limit", "0"]).code,
        2
    );
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let taken = machine.json(&["hub", "serve", "--port", &port], 1);
    assert!(
        taken["error"]["message"]
            .as_str()
            .unwrap()
            .contains(&format!("port {port} is taken"))
    );
}
