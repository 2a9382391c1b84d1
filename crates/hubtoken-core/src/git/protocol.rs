//! Implements git's credential protocol, which git and its helpers use to exchange attributes.
//!
//! Each line is `key=value`, and a blank line or the end of the input ends the message. A key that
//! ends in `[]` may be repeated and forms a list, which an empty value clears. The protocol has no
//! quoting, so a line break inside a value would be read as another attribute. A crafted URL once
//! made git send the password of one host to another that way (CVE-2020-5260). Values with NUL, CR
//! or LF are therefore rejected in both directions, including those hidden behind `%0a` in a
//! `url=`.
//!
//! Values are bytes: a path may not be valid text, but that must not prevent the other values from
//! being read. Messages give the line number and never quote the line, since any line may be a
//! password.

use std::fmt;
use std::io::{ErrorKind, Read};

use percent_encoding::percent_decode;
use zeroize::{Zeroize as _, Zeroizing};

/// The maximum input size, in bytes. `wwwauth[]` repeats headers, and servers rarely send 8 KiB of
/// those.
pub const MAXIMUM_SIZE: usize = 64 * 1024;

/// Bytes that would end a value, or truncate it in a C program.
const FORBIDDEN: [u8; 3] = [0, b'\r', b'\n'];

/// An error in an input, or in a value to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// The input does not end within the size limit.
    #[error("the request from git is longer than {MAXIMUM_SIZE} bytes")]
    TooLong,
    /// The input cannot be read.
    #[error("the request from git cannot be read: {0}")]
    Unreadable(ErrorKind),
    /// A line is not an attribute.
    #[error("line {0} of git's request is not key=value")]
    Line(usize),
    /// A line contains NUL or CR, or a URL hides one of those or a line break.
    #[error("line {0} of git's request holds a NUL or a line break; no token is returned")]
    Character(usize),
    /// The value of `url=` is not a URL.
    #[error("line {0} of git's request is not a URL with a scheme")]
    Url(usize),
    /// A value cannot be represented in the protocol.
    #[error("the value of {0} cannot be written for git")]
    Value(&'static str),
}

/// The attributes that matter to a helper. Others are ignored, as git requires of helpers.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Usually `https`.
    pub protocol: Option<Vec<u8>>,
    /// The host, with its port if there is one.
    pub host: Option<Vec<u8>>,
    /// The path, which git sends only with `useHttpPath`.
    pub path: Option<Vec<u8>>,
    /// The username.
    pub username: Option<Vec<u8>>,
    /// The secret.
    pub password: Option<Zeroizing<Vec<u8>>>,
    /// The scheme for [`credential`](Self::credential), which replaces the username and password.
    /// Only if both sides have the `authtype` capability.
    pub authtype: Option<Vec<u8>>,
    /// The secret as it follows the scheme in the header.
    pub credential: Option<Zeroizing<Vec<u8>>>,
    /// When the secret expires, in Unix seconds.
    pub password_expiry_utc: Option<i64>,
    /// The capabilities of the sender.
    pub capabilities: Vec<Vec<u8>>,
    /// The server's `WWW-Authenticate` headers.
    pub wwwauth: Vec<Vec<u8>>,
}

/// Prints no values: a password or a username may be a token.
impl fmt::Debug for Attributes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Attributes").finish_non_exhaustive()
    }
}

/// Reads an input up to a blank line or its end.
///
/// # Errors
///
/// [`ProtocolError::TooLong`], [`ProtocolError::Unreadable`].
pub fn read(reader: &mut dyn Read) -> Result<Zeroizing<Vec<u8>>, ProtocolError> {
    // Allocated at full size, so that growing leaves no copy of a password behind.
    let mut input = Zeroizing::new(vec![0; MAXIMUM_SIZE + 1]);
    let (mut length, mut searched) = (0, 0);
    loop {
        if let Some(end) = end(&input[..length], searched) {
            length = end;
            break;
        }
        if length > MAXIMUM_SIZE {
            return Err(ProtocolError::TooLong);
        }
        searched = length.saturating_sub(1);
        match reader.read(&mut input[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(ProtocolError::Unreadable(error.kind())),
        }
    }
    input[length..].zeroize();
    input.truncate(length);
    Ok(input)
}

/// The position of the blank line, searched for from `start`.
fn end(input: &[u8], start: usize) -> Option<usize> {
    if input.first() == Some(&b'\n') {
        return Some(0);
    }
    input
        .get(start..)?
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .map(|position| start + position + 1)
}

impl Attributes {
    /// Parses attributes up to a blank line or the end.
    ///
    /// # Errors
    ///
    /// The problem and its line number. The whole input must then be ignored.
    pub fn parse(input: &[u8]) -> Result<Self, ProtocolError> {
        let mut attributes = Self::default();
        for (index, line) in input.split(|byte| *byte == b'\n').enumerate() {
            if line.is_empty() {
                break;
            }
            attributes.take(line, index + 1)?;
        }
        Ok(attributes)
    }

    fn take(&mut self, line: &[u8], number: usize) -> Result<(), ProtocolError> {
        if holds_forbidden(line) {
            return Err(ProtocolError::Character(number));
        }
        let equals = line
            .iter()
            .position(|byte| *byte == b'=')
            .ok_or(ProtocolError::Line(number))?;
        let (key, value) = (&line[..equals], &line[equals + 1..]);
        match key {
            b"protocol" => self.protocol = Some(value.to_vec()),
            b"host" => self.host = Some(value.to_vec()),
            b"path" => self.path = Some(value.to_vec()),
            b"username" => self.username = Some(value.to_vec()),
            b"password" => self.password = Some(Zeroizing::new(value.to_vec())),
            b"authtype" => self.authtype = Some(value.to_vec()),
            b"credential" => self.credential = Some(Zeroizing::new(value.to_vec())),
            // An invalid number is ignored, as in git.
            b"password_expiry_utc" => {
                self.password_expiry_utc = str::from_utf8(value)
                    .ok()
                    .and_then(|text| text.parse().ok());
            }
            b"capability[]" => add(&mut self.capabilities, value),
            b"wwwauth[]" => add(&mut self.wwwauth, value),
            b"url" => self.take_url(value, number)?,
            _ => {}
        }
        Ok(())
    }

    /// Parses a URL like git does. Parts that the URL does not contain are unset, even if an
    /// earlier line set them.
    fn take_url(&mut self, url: &[u8], number: usize) -> Result<(), ProtocolError> {
        let separator = url
            .windows(3)
            .position(|window| window == b"://")
            .filter(|position| *position > 0)
            .ok_or(ProtocolError::Url(number))?;
        let rest = &url[separator + 3..];
        let authority_end = rest
            .iter()
            .position(|byte| b"/?#".contains(byte))
            .unwrap_or(rest.len());
        let (authority, path) = rest.split_at(authority_end);
        let decode = |part: &[u8]| {
            let value = Zeroizing::new(percent_decode(part).collect::<Vec<u8>>());
            if holds_forbidden(&value) {
                return Err(ProtocolError::Character(number));
            }
            Ok(value)
        };
        let (user, host) = match authority.iter().position(|byte| *byte == b'@') {
            Some(at) => (Some(&authority[..at]), &authority[at + 1..]),
            None => (None, authority),
        };
        (self.username, self.password) = match user {
            None => (None, None),
            Some(user) => match user.iter().position(|byte| *byte == b':') {
                None => (Some(decode(user)?.to_vec()), None),
                Some(colon) => (
                    Some(decode(&user[..colon])?.to_vec()),
                    Some(decode(&user[colon + 1..])?),
                ),
            },
        };
        self.protocol = Some(url[..separator].to_vec());
        // Some programs decode an encoded host and others do not, so it is kept encoded, which
        // makes it invalid as a host. It is decoded only to check for hidden characters.
        let decoded = decode(host)?;
        self.host = Some(if host.contains(&b'%') {
            host.to_vec()
        } else {
            decoded.to_vec()
        });
        let path = decode(path)?;
        let start = path.iter().take_while(|byte| **byte == b'/').count();
        let path = path[start..].to_vec();
        self.path = (!path.is_empty()).then_some(path);
        Ok(())
    }

    /// Encodes the attributes, one per line.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Value`] for a value that would be misread.
    pub fn encode(&self) -> Result<Zeroizing<Vec<u8>>, ProtocolError> {
        let expiry = self.password_expiry_utc.map(|expiry| expiry.to_string());
        let single = [
            ("protocol", self.protocol.as_deref()),
            ("host", self.host.as_deref()),
            ("path", self.path.as_deref()),
            ("username", self.username.as_deref()),
            ("password", self.password.as_ref().map(|value| &***value)),
            ("authtype", self.authtype.as_deref()),
            (
                "credential",
                self.credential.as_ref().map(|value| &***value),
            ),
            ("password_expiry_utc", expiry.as_deref().map(str::as_bytes)),
        ];
        let lists = [
            ("capability[]", &self.capabilities),
            ("wwwauth[]", &self.wwwauth),
        ];
        // An empty value would clear the list.
        if let Some((key, _)) = lists
            .iter()
            .find(|(_, list)| list.iter().any(Vec::is_empty))
        {
            return Err(ProtocolError::Value(key));
        }
        // Capabilities come first, because they determine how the rest is read.
        let lines: Vec<(&'static str, &[u8])> = lists
            .into_iter()
            .flat_map(|(key, list)| list.iter().map(move |value| (key, value.as_slice())))
            .chain(
                single
                    .into_iter()
                    .filter_map(|(key, value)| Some((key, value?))),
            )
            .collect();
        let size = lines.iter().map(|(key, value)| key.len() + value.len() + 2);
        // Allocated at full size, for the same reason as in `read`.
        let mut output = Zeroizing::new(Vec::with_capacity(size.sum()));
        for (key, value) in lines {
            if holds_forbidden(value) {
                return Err(ProtocolError::Value(key));
            }
            output.extend_from_slice(key.as_bytes());
            output.push(b'=');
            output.extend_from_slice(value);
            output.push(b'\n');
        }
        Ok(output)
    }
}

fn holds_forbidden(value: &[u8]) -> bool {
    value.iter().any(|byte| FORBIDDEN.contains(byte))
}

fn add(list: &mut Vec<Vec<u8>>, value: &[u8]) {
    if value.is_empty() {
        list.clear();
    } else {
        list.push(value.to_vec());
    }
}

#[cfg(test)]
mod tests;
