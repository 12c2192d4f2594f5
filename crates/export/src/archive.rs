//! A zip archive that is sent while it is written: nothing of it is kept once it is sent, and nothing more is written
//! while the reader is busy.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lambda_runtime::streaming::Sender;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter, ZipWriter};
use zip::{CompressionMethod, DateTime};

/// Bytes of the archive that are sent at once. Two pieces exist at most: one on its way to the reader, and the next,
/// which waits.
pub const PIECE_BYTES_MAX: usize = 64 * 1024;
/// Bytes that are compressed at once, after which it is looked whether a piece is ready: a row may be larger than a piece.
const SLICE_BYTES: usize = 16 * 1024;

/// Why the archive cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    /// The reader has left, or has taken nothing for too long.
    #[error("the reader has left")]
    Gone,
    /// A fault of ours.
    #[error("the archive cannot be written")]
    Zip(#[from] ZipError),
    /// The same.
    #[error("the archive cannot be written")]
    Write(#[from] io::Error),
}

/// What is written and not yet sent.
#[derive(Debug, Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    /// The next piece: a full one, or at the end what there is.
    fn piece(&self, is_end: bool) -> Option<Vec<u8>> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.len() < PIECE_BYTES_MAX {
            return (is_end && !bytes.is_empty()).then(|| std::mem::take(&mut *bytes));
        }
        let rest = bytes.split_off(PIECE_BYTES_MAX);
        Some(std::mem::replace(&mut *bytes, rest))
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The archive. Dropped before [`Archive::finish`], it has no table of contents.
pub(crate) struct Archive<'a> {
    zip: ZipWriter<StreamWriter<Written>>,
    written: Written,
    sender: &'a mut Sender,
    reader_patience: Duration,
    options: SimpleFileOptions,
}

impl<'a> Archive<'a> {
    /// An empty archive whose files carry the time `at`, UTC.
    pub(crate) fn begin(sender: &'a mut Sender, reader_patience: Duration, at: Timestamp) -> Self {
        let written = Written::default();
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).last_modified_time(zip_time(at));
        Self { zip: ZipWriter::new_stream(written.clone()), written, sender, reader_patience, options }
    }

    /// Ends the file before and begins one.
    pub(crate) fn file(&mut self, name: &str) -> Result<(), ArchiveError> {
        Ok(self.zip.start_file(name, self.options)?)
    }

    /// Writes to the file begun last, and sends the pieces that have become full.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        for slice in bytes.chunks(SLICE_BYTES) {
            self.zip.write_all(slice)?;
            self.send(false).await?;
        }
        Ok(())
    }

    /// Writes the table of contents and sends the rest. What is written afterwards, nobody gets.
    pub(crate) async fn finish(&mut self) -> Result<(), ArchiveError> {
        let zip = std::mem::replace(&mut self.zip, ZipWriter::new_stream(Written::default()));
        zip.finish()?;
        self.send(true).await
    }

    async fn send(&mut self, is_end: bool) -> Result<(), ArchiveError> {
        while let Some(piece) = self.written.piece(is_end) {
            match tokio::time::timeout(self.reader_patience, self.sender.send_data(piece.into())).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return Err(ArchiveError::Gone),
            }
        }
        Ok(())
    }
}

/// A time as archives have it; the earliest they know where it lies outside their calendar.
fn zip_time(at: Timestamp) -> DateTime {
    let at = at.to_zoned(TimeZone::UTC).datetime();
    let unsigned = |number: i8| u8::try_from(number).unwrap_or_default();
    let (year, month, day) = (u16::try_from(at.year()).unwrap_or_default(), unsigned(at.month()), unsigned(at.day()));
    DateTime::from_date_and_time(year, month, day, unsigned(at.hour()), unsigned(at.minute()), unsigned(at.second())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_full_until_the_last() {
        let mut written = Written::default();
        written.write_all(&vec![1; 2 * PIECE_BYTES_MAX + 5]).unwrap();
        let lengths = |is_end| std::iter::from_fn(|| written.piece(is_end)).map(|piece| piece.len()).collect::<Vec<_>>();
        assert_eq!(lengths(false), [PIECE_BYTES_MAX; 2]);
        assert_eq!(lengths(true), [5]);
        assert!(lengths(true).is_empty());
    }

    #[test]
    fn times_outside_the_archives_calendar_are_no_reason_to_fail() {
        let time = |text: &str| zip_time(text.parse().unwrap_or_default());
        let noon = time("2026-11-27T12:34:56Z");
        assert_eq!((noon.year(), noon.month(), noon.day(), noon.hour(), noon.minute(), noon.second()), (2026, 11, 27, 12, 34, 56));
        assert_eq!(time("1970-01-01T00:00:00Z"), DateTime::default());
    }
}
