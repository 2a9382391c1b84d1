//! Measures the throughput of the embedded Hub, next to a bare axum handler that sends the same
//! bytes in the same run.
//!
//! `make bench` runs it. It uses its own client, which must cost as little as possible on a machine
//! with two cores: one thread, and a number of keep-alive connections with one request in flight on
//! each. The client shares the cores with the server, for the bare handler as for the Hub. The
//! ratio therefore shows the Hub's share of the server's cost, and the absolute figures show what
//! such a machine can serve while also running the client.
//!
//! No assertion here depends on timing.

use std::error::Error;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use hubtoken_hub::{Hub, HubOptions, NewToken, OrganizationRole, TokenRole};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::task::JoinSet;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Connections opened by the client.
const CONNECTIONS: usize = 64;
/// Rounds per server; the servers alternate.
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
/// Tokens of one user, for the lists.
const TOKENS: [usize; 2] = [1_000, 10_000];
const LISTINGS: usize = 9;

/// One round against one server.
struct Round {
    per_second: f64,
    /// Latencies in microseconds, sorted.
    latencies: Vec<u64>,
}

fn main() -> Outcome<()> {
    let before = resident();
    let hub = Hub::start(&HubOptions::default())?;
    hub.create_user("alice", "Alice Doe", Some("alice@example.invalid"), None)?;
    hub.create_organization("acme", "Acme Inc")?;
    hub.set_member("acme", "alice", OrganizationRole::Write)?;
    let token = hub
        .create_token("alice", new("load", TokenRole::Write))?
        .value;
    let address: SocketAddr = hub.endpoint().trim_start_matches("http://").parse()?;
    let asking = |path: &str, secret: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {secret}\r\n\r\n")
    };
    let whoami = asking("/api/whoami-v2", token.reveal());
    let body = one(address, &whoami)?;
    let started = resident();
    println!(
        "whoami with a bearer: {CONNECTIONS} connections, {ROUNDS} rounds of {ROUND:?}, alternating"
    );
    let bare = Bare::start(body)?;
    // The cost of every request, without the token lookup.
    let nobody = format!("GET /api/agent-harnesses HTTP/1.1\r\nHost: {address}\r\n\r\n");
    let (mut floor, mut ours, mut around) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        floor.push(load(bare.address, &whoami)?);
        ours.push(load(address, &whoami)?);
        around.push(load(address, &nobody)?);
    }
    let (floor, ours, around) = (
        report("bare axum", &mut floor),
        report("whoami", &mut ours),
        report("no token", &mut around),
    );
    println!(
        "  relative to the bare handler: {:.2} with a token, {:.2} without",
        ours / floor,
        around / floor
    );
    let loaded = resident();

    println!("listing the tokens of one user over HTTP, medians of {LISTINGS}");
    let listing = asking(
        "/-/hubtoken/v1/users/alice/tokens",
        hub.admin_key().reveal(),
    );
    let (mut made, mut per_token) = (1, Vec::new());
    for count in TOKENS {
        while made < count {
            hub.create_token("alice", new(&format!("token {made}"), TokenRole::Read))?;
            made += 1;
        }
        let mut times = Vec::new();
        for _ in 0..LISTINGS {
            let begun = Instant::now();
            one(address, &listing)?;
            times.push(begun.elapsed());
        }
        times.sort();
        let median = times[LISTINGS / 2];
        let each = median.as_secs_f64() * 1e6 / f64::from(u32::try_from(count)?);
        per_token.push(each);
        println!("  {count:>6} tokens {median:>12.2?}  {each:.2} us per token");
    }
    println!(
        "  with ten times as many, each takes {:.2} times as long",
        per_token[1] / per_token[0]
    );
    println!(
        "resident memory in MiB: {} before, {} with a Hub, {} after the load, {} with the last list",
        shown(before),
        shown(started),
        shown(loaded),
        shown(resident())
    );
    hub.stop();
    Ok(())
}

fn new(name: &str, role: TokenRole) -> NewToken {
    NewToken {
        name: name.to_owned(),
        role,
        expires_at: None,
    }
}

/// The minimum that any axum server must do for such a response, on as many threads as the Hub has.
struct Bare {
    address: SocketAddr,
    _threads: tokio::runtime::Runtime,
}

impl Bare {
    fn start(body: Vec<u8>) -> Outcome<Self> {
        let threads = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let listener = threads.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let handler = move || {
            let body = body.clone();
            async move { ([(CONTENT_TYPE, "application/json; charset=utf-8")], body) }
        };
        let app = Router::new().route("/api/whoami-v2", get(handler));
        threads.spawn(async move { axum::serve(listener, app).await });
        Ok(Self {
            address,
            _threads: threads,
        })
    }
}

fn report(name: &str, rounds: &mut [Round]) -> f64 {
    rounds.sort_by(|left, right| left.per_second.total_cmp(&right.per_second));
    let median = &rounds[rounds.len() / 2];
    let at = |share: usize| median.latencies[(median.latencies.len() - 1) * share / 1000];
    println!(
        "  {name:<10} {:>8.0} requests per second ({:.0} to {:.0}); p50 {} us, p99 {} us, p99.9 {} us",
        median.per_second,
        rounds[0].per_second,
        rounds[rounds.len() - 1].per_second,
        at(500),
        at(990),
        at(999)
    );
    median.per_second
}

/// Sends requests on all connections for a while.
fn load(address: SocketAddr, request: &str) -> Outcome<Round> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(address).await?);
        }
        let begun = Instant::now();
        let end = begun + ROUND;
        let mut running = JoinSet::new();
        for mut connection in connections {
            let request = request.to_owned();
            running.spawn(async move {
                let mut latencies = Vec::new();
                loop {
                    let asked = Instant::now();
                    if asked >= end {
                        return Outcome::Ok(latencies);
                    }
                    connection.ask(&request).await?;
                    latencies.push(u64::try_from(asked.elapsed().as_micros())?);
                }
            });
        }
        let mut latencies = Vec::new();
        while let Some(done) = running.join_next().await {
            latencies.extend(done??);
        }
        let count = f64::from(u32::try_from(latencies.len())?);
        latencies.sort_unstable();
        Ok(Round {
            per_second: count / begun.elapsed().as_secs_f64(),
            latencies,
        })
    })
}

/// Sends one request and returns the body of the response.
fn one(address: SocketAddr, request: &str) -> Outcome<Vec<u8>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(address).await?;
        let head = connection.ask(request).await?;
        Ok(connection.answer[head..].to_vec())
    })
}

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            answer: Vec::with_capacity(16 << 10),
        })
    }

    /// Sends a request and reads the whole response; returns the offset of its body.
    async fn ask(&mut self, request: &str) -> Outcome<usize> {
        self.answer.clear();
        self.stream.write_all(request.as_bytes()).await?;
        loop {
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err("the connection was closed".into());
            }
            if let Some((head, length)) = measured(&self.answer)?
                && self.answer.len() >= head + length
            {
                return Ok(head);
            }
        }
    }
}

/// The lengths of head and body, once the head is complete; a response without success is an error.
fn measured(answer: &[u8]) -> Outcome<Option<(usize, usize)>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..end])?;
    if !head.starts_with("HTTP/1.1 200") {
        return Err(head.lines().next().unwrap_or_default().into());
    }
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .ok_or("an answer without its length")?;
    Ok(Some((end + 4, length.1.trim().parse()?)))
}

/// Memory in use, in KiB, if the system reports it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn shown(kibibytes: Option<u64>) -> String {
    kibibytes.map_or_else(
        || "?".to_owned(),
        |kibibytes| (kibibytes / 1024).to_string(),
    )
}
