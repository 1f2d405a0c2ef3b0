//! Writing a file.

use crate::{Kind, Run, Ssh, SshError};
use std::time::Duration;

/// `$1` the file, `$2` its mode, `$3` its length. The end of a broken connection looks like the end of the file, hence the
/// length.
const WRITE: &str = r#"
if [ -d "$1" ]; then echo "it is a folder" >&2; exit 3; fi
umask 077
new="$1.new-$$"
trap 'rm -f "$new"' EXIT
cat > "$new" || exit 4
if [ "$(wc -c < "$new")" -ne "$3" ]; then echo "only a part of it arrived" >&2; exit 5; fi
chmod "$2" "$new" && mv -f "$new" "$1"
"#;

impl Ssh {
    /// Writes a file whole: beside, with its mode, then renamed into place, so that nobody sees half of it. A link at its place
    /// is replaced, not followed. `prefix` are words before the shell, for instance `sudo -n`.
    ///
    /// # Errors
    /// Every [`Kind`]; [`Kind::Failed`] says what the shell there said.
    pub async fn upload(
        &self,
        prefix: &[String],
        path: &str,
        mode: u32,
        content: Vec<u8>,
        deadline: Duration,
    ) -> Result<(), SshError> {
        let (mode, length) = (format!("{mode:o}"), content.len().to_string());
        let run = Run::script(prefix, WRITE, [path, &mode, &length])
            .called(format!("writing {path}"))
            .within(deadline)
            .input(content);
        let output = self.run(run).await?;
        if output.success() {
            return Ok(());
        }
        let said: String =
            String::from_utf8_lossy(&output.stderr).chars().filter(|c| !c.is_control()).take(300).collect();
        let what = format!("{path} cannot be written on {}: {said}", self.target());
        Err(SshError::new(Kind::Failed, what, "check that the user may write there, and that there is room"))
    }
}
