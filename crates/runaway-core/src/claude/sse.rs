//! Server-sent events out of bytes that arrive in any pieces.

use std::collections::VecDeque;

/// The largest event that is read.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

/// An event larger than [`EVENT_BYTES_MAX`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EventTooLarge;

/// Collects bytes until an event is whole. Only the field `data` counts: its JSON repeats the event's name.
#[derive(Debug, Default)]
pub(super) struct SseParser {
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    after_cr: bool,
}

impl SseParser {
    /// Takes bytes in and appends the data of every event they complete.
    pub(super) fn push(&mut self, bytes: &[u8], events: &mut VecDeque<Vec<u8>>) -> Result<(), EventTooLarge> {
        for &byte in bytes {
            let is_rest_of_crlf = byte == b'\n' && self.after_cr;
            self.after_cr = byte == b'\r';
            match byte {
                _ if is_rest_of_crlf => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
            if self.line.len() + self.data.as_ref().map_or(0, Vec::len) > EVENT_BYTES_MAX {
                return Err(EventTooLarge);
            }
        }
        Ok(())
    }

    fn end_line(&mut self) -> Option<Vec<u8>> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return self.data.take();
        }
        let value = line.strip_prefix(b"data").filter(|rest| matches!(rest.first(), None | Some(b':')))?;
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &mut self.data {
            None => self.data = Some(value.to_vec()),
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = ": a comment\n\nevent: first\ndata: {\"text\": \"Läuft 🏃 gut\"}\n\nevent: ping\ndata\n\nid: 7\nretry: 3\n\
                          dataless: x\ndata:no blank\ndata:  two blanks\n\ndata: never finished\n";
    const EVENTS: [&str; 3] = ["{\"text\": \"Läuft 🏃 gut\"}", "", "no blank\n two blanks"];

    fn parse(pieces: &[&[u8]]) -> Vec<String> {
        let (mut parser, mut events) = (SseParser::default(), VecDeque::new());
        for piece in pieces {
            parser.push(piece, &mut events).unwrap();
        }
        events.into_iter().map(|event| String::from_utf8(event).unwrap()).collect()
    }

    #[test]
    fn wherever_the_stream_is_split_and_however_lines_end_the_events_are_the_same() {
        for ending in ["\n", "\r\n", "\r"] {
            let stream = STREAM.replace('\n', ending).into_bytes();
            for size in 1..=stream.len() {
                assert_eq!(parse(&stream.chunks(size).collect::<Vec<_>>()), EVENTS, "pieces of {size} bytes, {ending:?}");
            }
            for first in 0..=stream.len() {
                for second in first..=stream.len() {
                    let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                    assert_eq!(parse(&pieces), EVENTS, "split at {first} and {second}, {ending:?}");
                }
            }
        }
    }

    #[test]
    fn an_event_has_an_end() {
        let (mut parser, mut events) = (SseParser::default(), VecDeque::new());
        let line = [b"data: ".as_slice(), &[b'x'; 1000], b"\n"].concat();
        let refused = (0..=EVENT_BYTES_MAX / 1000).find(|_| parser.push(&line, &mut events).is_err());
        assert!(refused.is_some_and(|n| n > 1000) && events.is_empty(), "{refused:?}");
        assert_eq!(SseParser::default().push(&vec![b'x'; EVENT_BYTES_MAX + 1], &mut events), Err(EventTooLarge));
    }
}
