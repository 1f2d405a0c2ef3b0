//! What a plugin's `define` prints, kept as a golden file.

use crate::{TestkitError, run};
use std::{fs, path::Path};

/// Checks what `define` prints against a golden file, or writes it when `DRP_BLESS` is set. `v` followed by `version`
/// stands as `VERSION` in the file, so that a release does not change it. Nothing may come on standard error.
///
/// # Errors
/// [`TestkitError::Differs`] when it is not what the file holds; [`TestkitError::Io`] when the program cannot be run or
/// the file cannot be read or written.
pub async fn check_define(
    binary: impl AsRef<Path>,
    version: &str,
    golden: impl AsRef<Path>,
) -> Result<(), TestkitError> {
    let golden = golden.as_ref();
    let printed = run(binary, &["define"], &[]).await?;
    if (printed.code, printed.stderr.as_str()) != (Some(0), "") {
        let is = format!("status {:?}, standard error {:?}", printed.code, printed.stderr);
        return Err(TestkitError::differs("define", "status 0 and no standard error", is));
    }
    let text = printed.stdout.replace(&format!("v{version}"), "VERSION");
    if std::env::var_os("DRP_BLESS").is_some() {
        return fs::write(golden, &text).map_err(TestkitError::io("write", golden));
    }
    let wanted = fs::read_to_string(golden).map_err(TestkitError::io("read", golden))?;
    if text == wanted {
        return Ok(());
    }
    let differs = wanted.lines().zip(text.lines()).enumerate().find(|(_, (wanted, is))| wanted != is);
    let (at, wanted, is) =
        differs.map_or((0, "other lines", "fewer or more lines"), |(at, (w, is))| (at + 1, w, is));
    let what = format!("{} line {at} (if this change is meant: DRP_BLESS=1)", golden.display());
    Err(TestkitError::differs(what, wanted, is))
}
