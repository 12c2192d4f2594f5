//! A line between a function and PostgreSQL that counts round trips and breaks when it is told to.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::net::{TcpListener, TcpStream};
use url::Url;

const PIECE_BYTES_MAX: usize = 256 * 1024;
/// The code of a request for TLS, which the server answers with a single byte.
const TLS_REQUEST: &[u8] = &80_877_103_u32.to_be_bytes();

/// Where in a round trip the line breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// Before the server hears anything of it.
    Before,
    /// When the server has done all of it and the function has heard nothing of the last answer.
    After,
}

#[derive(Debug, Default)]
struct State {
    round_trips: usize,
    /// The round trip that breaks, counted as `round_trips` is.
    broken: Option<(usize, Break)>,
}

/// The line. A round trip is everything the function sends while it waits for nothing, however many statements that are.
#[derive(Debug, Clone)]
pub struct Wire {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl Wire {
    /// A line to the server of this address.
    pub async fn to(address: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port for the line");
        let wire = Self { port: listener.local_addr().expect("the port").port(), state: Arc::default() };
        let url: Url = address.parse().expect("an address");
        let server = (url.host_str().expect("a host").to_owned(), url.port().expect("a port"));
        let state = wire.state.clone();
        tokio::spawn(async move {
            while let Ok((function, _)) = listener.accept().await {
                let server = TcpStream::connect((server.0.as_str(), server.1)).await.expect("PostgreSQL");
                let connection = Connection { state: state.clone(), sent: Messages::default(), heard: Messages::typed(), waits_for: 0 };
                tokio::spawn(connection.carry(function, server));
            }
        });
        wire
    }

    /// The same database at the line's end.
    pub fn address(&self, address: &str) -> String {
        let mut url: Url = address.parse().expect("an address");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.port)).expect("a port");
        url.into()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Round trips so far, connecting included.
    pub fn round_trips(&self) -> usize {
        self.state().round_trips
    }

    /// Breaks the line in the `n`-th round trip from now, counted from 1, once.
    pub fn breaks(&self, n: usize, place: Break) {
        let mut state = self.state();
        state.broken = Some((state.round_trips + n, place));
    }

    /// Whether the line broke since it was told to; it does not break any more.
    pub fn has_broken(&self) -> bool {
        self.state().broken.take().is_none()
    }
}

/// One connection through the line.
struct Connection {
    state: Arc<Mutex<State>>,
    sent: Messages,
    heard: Messages,
    /// Answers that the function waits for.
    waits_for: usize,
}

impl Connection {
    async fn carry(mut self, function: TcpStream, server: TcpStream) {
        let (mut sent, mut heard) = (vec![0; PIECE_BYTES_MAX], vec![0; PIECE_BYTES_MAX]);
        loop {
            let carried = tokio::select! {
                n = read(&function, &mut sent) => {
                    let piece = &sent[..n];
                    !piece.is_empty() && self.may_be_sent(piece) && write(&server, piece).await
                }
                n = read(&server, &mut heard) => {
                    let piece = &heard[..n];
                    !piece.is_empty() && self.may_be_heard(piece) && write(&function, piece).await
                }
            };
            // Both ends see the other hang up.
            if !carried {
                return;
            }
        }
    }

    fn may_be_sent(&mut self, piece: &[u8]) -> bool {
        let kinds = self.sent.take(piece);
        self.heard.single_byte |= self.sent.asked_for_tls();
        let mut state = self.state.lock().unwrap();
        for kind in kinds {
            // A simple query, the end of an extended one, the start of the connection.
            if matches!(kind, b'Q' | b'S' | Messages::START) {
                state.round_trips += usize::from(self.waits_for == 0);
                self.waits_for += 1;
            }
        }
        let breaks = state.broken == Some((state.round_trips, Break::Before));
        if breaks {
            state.broken = None;
        }
        !breaks
    }

    fn may_be_heard(&mut self, piece: &[u8]) -> bool {
        // "Ready for a query" ends every answer.
        let answers = self.heard.take(piece).into_iter().filter(|kind| *kind == b'Z').count();
        self.waits_for -= answers;
        let mut state = self.state.lock().unwrap();
        let breaks = answers > 0 && self.waits_for == 0 && state.broken == Some((state.round_trips, Break::After));
        if breaks {
            state.broken = None;
        }
        !breaks
    }
}

/// The kinds of messages in one direction, out of bytes that come in any pieces.
#[derive(Debug, Default)]
struct Messages {
    rest: Vec<u8>,
    is_typed: bool,
    asks_for_tls: bool,
    /// The next byte stands by itself.
    single_byte: bool,
}

impl Messages {
    /// The first message has no kind of its own.
    const START: u8 = 0;

    fn typed() -> Self {
        Self { is_typed: true, ..Self::default() }
    }

    fn asked_for_tls(&mut self) -> bool {
        std::mem::take(&mut self.asks_for_tls)
    }

    fn take(&mut self, piece: &[u8]) -> Vec<u8> {
        self.rest.extend_from_slice(piece);
        let mut kinds = Vec::new();
        loop {
            if self.single_byte && !self.rest.is_empty() {
                self.rest.remove(0);
                self.single_byte = false;
            }
            let kind_bytes = usize::from(self.is_typed);
            let Some(length) = self.rest.get(kind_bytes..kind_bytes + 4) else { break };
            let length = kind_bytes + u32::from_be_bytes(length.try_into().expect("four bytes")) as usize;
            if self.rest.len() < length {
                break;
            }
            let message: Vec<u8> = self.rest.drain(..length).collect();
            if self.is_typed {
                kinds.push(message[0]);
            } else if &message[4..8] == TLS_REQUEST {
                self.asks_for_tls = true;
            } else {
                self.is_typed = true;
                kinds.push(Self::START);
            }
        }
        kinds
    }
}

/// Reads what is there; 0 at the end.
async fn read(stream: &TcpStream, piece: &mut [u8]) -> usize {
    loop {
        if stream.readable().await.is_err() {
            return 0;
        }
        match stream.try_read(piece) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            read => return read.unwrap_or(0),
        }
    }
}

async fn write(stream: &TcpStream, mut piece: &[u8]) -> bool {
    while !piece.is_empty() {
        if stream.writable().await.is_err() {
            return false;
        }
        match stream.try_write(piece) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Ok(n) => piece = &piece[n..],
            Err(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_from_any_pieces() {
        let start = [&16_u32.to_be_bytes()[..], &196_608_u32.to_be_bytes(), b"user\0x\0\0"].concat();
        let tls = [&8_u32.to_be_bytes()[..], TLS_REQUEST].concat();
        let query = [b"Q".as_slice(), &6_u32.to_be_bytes(), b"x\0"].concat();
        let sync = [b"S".as_slice(), &4_u32.to_be_bytes()].concat();
        let bytes = [tls, start, query, sync].concat();
        for size in 1..=bytes.len() {
            let mut messages = Messages::default();
            let kinds: Vec<u8> = bytes.chunks(size).flat_map(|piece| messages.take(piece)).collect();
            assert_eq!((kinds, messages.asked_for_tls()), (vec![Messages::START, b'Q', b'S'], true), "pieces of {size}");
        }
        let mut answers = Messages { single_byte: true, ..Messages::typed() };
        let ready = [b"NZ".as_slice(), &5_u32.to_be_bytes(), b"I"].concat();
        assert_eq!(answers.take(&ready), b"Z");
    }
}
