//! Tables of documents that tests measure: written where that is asked for, compared otherwise.

use std::path::Path;

/// Compares what a document holds between `<!-- part: begin -->` and `<!-- part: end -->`, below the table's head, with
/// the rows, or replaces it where the variable `switch` is set. `command` is what sets it.
///
/// # Panics
/// Where the document is not what was measured, or lacks the part.
pub fn settle(document: &str, part: &str, switch: &str, command: &str, rows: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{document}: {error}"));
    let (begin, end) = (format!("<!-- {part}: begin -->\n"), format!("<!-- {part}: end -->\n"));
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{document} lacks {begin}"));
    let (kept, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{document} lacks {end}"));
    // The head's two lines say what the columns are.
    let head: String = kept.split_inclusive('\n').take(2).collect();
    let table = format!("{head}{rows}");
    #[expect(clippy::disallowed_methods, reason = "a test's own switch")]
    let is_written = std::env::var_os(switch).is_some();
    if is_written {
        std::fs::write(&path, format!("{before}{begin}{table}{end}{after}")).expect("writing the document");
    } else {
        assert_eq!(kept, table, "{document} is not what was measured; `{command}` writes it");
    }
}
