//! As much of a browser as the pages need: it keeps a cookie, fills in forms, and sends the origin
//! headers of a form.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use hubtoken_hub::Hub;
use serde_json::json;

use super::world::{Answer, ENDPOINT, World};

pub const HOST: &str = "127.0.0.1:8080";
pub const COOKIE: &str = "hubtoken_session_8080";
pub const PASSWORD: &str = "correct horse battery staple";

/// Sends a request (method, path, headers, body) and returns the response.
type Send<'world> = Box<dyn Fn(&str, &str, &[(&str, &str)], &str) -> Answer + 'world>;

pub struct Browser<'world> {
    ask: Send<'world>,
    endpoint: String,
    cookie_name: String,
    /// The value of the only cookie.
    pub cookie: RefCell<Option<String>>,
}

impl<'world> Browser<'world> {
    pub fn new(world: &'world World) -> Self {
        Self {
            ask: Box::new(|method, path, headers, body| {
                world.ask(method, path, None, headers, Body::from(body.to_owned()))
            }),
            endpoint: ENDPOINT.to_owned(),
            cookie_name: COOKIE.to_owned(),
            cookie: RefCell::default(),
        }
    }

    /// A browser that connects to a Hub over a socket, so that it has an address.
    pub fn over(hub: &Hub) -> Self {
        let endpoint = hub.endpoint().to_owned();
        let host = endpoint.strip_prefix("http://").unwrap().to_owned();
        let port = host.rsplit_once(':').unwrap().1;
        Self {
            cookie_name: format!("hubtoken_session_{port}"),
            ask: Box::new(move |method, path, headers, body| {
                over_connection(&host, method, path, headers, body)
            }),
            endpoint,
            cookie: RefCell::default(),
        }
    }

    /// A browser with a signed-in user.
    pub fn signed_in(world: &'world World, user: &str) -> Self {
        let browser = Self::new(world);
        let answer = browser.sign_in(user, PASSWORD);
        assert_eq!(answer.status, 303, "{}", answer.text());
        browser
    }

    pub fn sign_in(&self, user: &str, password: &str) -> Answer {
        let fields = [("username", user), ("password", password)];
        self.submit("/login", "/login", &fields)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "")
    }

    /// Opens a page and submits a form from it, with the hidden fields of the page.
    pub fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let opened = self.get(page);
        assert_eq!(opened.status, 200, "{page}: {}", opened.text());
        self.submit_from(&opened, action, fields)
    }

    pub fn submit_from(&self, page: &Answer, action: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("csrf", hidden(page, "csrf").expect("a form"))];
        for name in ["once", "seen"] {
            if let Some(value) = hidden(page, name) {
                all.push((name, value));
            }
        }
        all.extend(
            fields
                .iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        self.post(action, &all)
    }

    /// Submits a form exactly as given, as if from a page of this Hub.
    pub fn post<T: AsRef<str>>(&self, path: &str, fields: &[(&str, T)]) -> Answer {
        let headers = [
            ("origin", self.endpoint.as_str()),
            ("sec-fetch-site", "same-origin"),
        ];
        self.send("POST", path, &headers, &encoded(fields))
    }

    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let cookie = self.cookie.borrow().clone();
        let cookie = cookie.map(|value| format!("{}={value}", self.cookie_name));
        let mut all = vec![
            ("host", self.endpoint.strip_prefix("http://").unwrap()),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        if let Some(cookie) = &cookie {
            all.push(("cookie", cookie));
        }
        all.extend(headers);
        let answer = (self.ask)(method, path, &all, body);
        let set = answer.header("set-cookie");
        if let Some(rest) = set.strip_prefix(&format!("{}=", self.cookie_name)) {
            let value = rest.split(';').next().unwrap_or_default();
            *self.cookie.borrow_mut() = (!set.contains("Max-Age=0")).then(|| value.to_owned());
        }
        answer
    }
}

/// One request over its own connection.
fn over_connection(
    host: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    let mut stream = TcpStream::connect(host).unwrap();
    stream
        .write_all(format!("{request}\r\n{body}").as_bytes())
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers: HeaderMap = lines
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        })
        .collect();
    Answer {
        status: status.parse().unwrap(),
        headers,
        body: body.as_bytes().to_vec(),
    }
}

pub fn encoded<T: AsRef<str>>(fields: &[(&str, T)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields.iter().map(|(name, value)| (*name, value.as_ref())))
        .finish()
}

/// The value of a hidden field of a page.
pub fn hidden(page: &Answer, name: &str) -> Option<String> {
    let text = page.text();
    let start = format!("<input type=\"hidden\" name=\"{name}\" value=\"");
    let rest = text.split_once(&start)?.1;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}

/// The value of a token that a page shows.
pub fn shown_value(page: &Answer) -> String {
    let text = page.text();
    let rest = text
        .split_once("<input id=\"value\" value=\"")
        .expect("a value")
        .1;
    rest.split_once('"').expect("a value").0.to_owned()
}

/// A world in which alice and bob have passwords; alice is an admin of acme, and bob has the role
/// read there.
pub fn world_with_passwords() -> World {
    populate(World::new())
}

pub fn populate(world: World) -> World {
    for user in ["alice", "bob", "carol"] {
        let body = json!({ "name": user, "password": PASSWORD });
        assert_eq!(world.admin("POST", "users", Some(body)).status, 201);
    }
    // A user without a password cannot sign in.
    assert_eq!(
        world
            .admin("POST", "users", Some(json!({ "name": "robot" })))
            .status,
        201
    );
    world.admin("POST", "organizations", Some(json!({ "name": "acme" })));
    for (user, role) in [("alice", "admin"), ("bob", "read")] {
        let path = format!("organizations/acme/members/{user}");
        world.admin("PUT", &path, Some(json!({ "role": role })));
    }
    world
}
