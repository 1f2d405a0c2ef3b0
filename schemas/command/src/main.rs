//! `drp schema`: checks documents against contracts, evaluates Nickel, and shows the contracts that ship with drp.

mod kinds;
mod show;

use clap::{Args, Parser, Subcommand, ValueEnum};
use drp_schemas::{Document, Evaluator, Format, SchemaError, Settings, install_for_user};
use kinds::Kind;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Checks documents against contracts, and evaluates Nickel.
#[derive(Parser)]
#[command(name = "drp-schema", bin_name = "drp schema", version, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    what: What,
    /// Seconds that one document may take.
    #[arg(long, global = true, default_value_t = 10)]
    timeout: u64,
}

const EXAMPLES: &str = "\
Examples:
  drp schema check metadata.toml                       the kind is known by the file's name
  drp schema check web.yaml --kind server
  drp schema check web.yaml --contract '(import \"./mine.ncl\").Web'
  drp schema export settings.ncl --format yaml
  drp schema types server                              the fields of a kind
Exit codes: 0 it passes, 4 it does not, 2 wrong command line, 3 no such file, 8 too slow, 1 anything else.";

#[derive(Subcommand)]
enum What {
    /// Checks a document: its types when it is Nickel and has no contract, else against a contract.
    Check(Check),
    /// Evaluates a document and prints it, with a contract's defaults when there is one.
    Export(Export),
    /// Lists the kinds of documents, or the fields of one.
    Types {
        /// A kind, or a file of contracts; all kinds are listed when it is left out.
        what: Option<String>,
        /// How it is printed.
        #[arg(long, value_enum, default_value_t = Shape::Table)]
        format: Shape,
    },
}

#[derive(Args)]
struct Against {
    /// What it is; known by the names of the usual files. `drp schema types` lists the kinds.
    #[arg(long, conflicts_with = "contract")]
    kind: Option<String>,
    /// The contract, as a Nickel expression.
    #[arg(long)]
    contract: Option<String>,
    /// Where imports are looked for, beside the document's own folder. May be given again.
    #[arg(short = 'I', long = "import-path")]
    import_path: Vec<PathBuf>,
}

#[derive(Args)]
struct Check {
    /// Files (.ncl .toml .yaml .json), or `-` for Nickel on standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    against: Against,
    /// How results are printed.
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    format: Shape,
}

#[derive(Args)]
struct Export {
    /// A file (.ncl .toml .yaml .json), or `-` for Nickel on standard input.
    file: PathBuf,
    #[command(flatten)]
    against: Against,
    /// Only this field of it, `a.b.c`.
    #[arg(long)]
    field: Option<String>,
    /// How it is printed.
    #[arg(long, value_enum, default_value_t = Language::Json)]
    format: Language,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// For people.
    Table,
    /// One JSON document.
    Json,
}

/// How a value is printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    Json,
    Yaml,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
        show::error("cannot start: the system gives no event loop");
        return ExitCode::FAILURE;
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(failure) => {
            show::error(&failure.text);
            ExitCode::from(failure.code)
        }
    }
}

/// Why there is no result, and the exit code (`docs/reference/exit-codes.md`).
struct Failure {
    text: String,
    code: u8,
}

impl From<SchemaError> for Failure {
    fn from(error: SchemaError) -> Self {
        let code = match &error {
            SchemaError::Wrong { .. } | SchemaError::Exploded { .. } | SchemaError::TooLarge { .. } => 4,
            SchemaError::Deadline { .. } => 8,
            _ => 1,
        };
        let text = match &error {
            SchemaError::Wrong { document, diagnostics } => show::wrong(document, diagnostics),
            other => other.to_string(),
        };
        Self { text, code }
    }
}

fn failure(code: u8, text: impl Into<String>) -> Failure {
    Failure { text: text.into(), code }
}

async fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let deadline = Duration::from_secs(cli.timeout.clamp(1, 3600));
    match cli.what {
        What::Check(check) => run_check(check, deadline).await,
        What::Export(export) => run_export(export, deadline).await,
        What::Types { what, format } => run_types(what, format, deadline).await,
    }
}

const TYPES_ONLY: &str = "its types are right; for more say --kind or --contract";

async fn run_check(check: Check, deadline: Duration) -> Result<ExitCode, Failure> {
    let evaluator = evaluator(check.against.import_path.clone(), deadline)?;
    let mut reports = Vec::new();
    let mut worst = None;
    for file in &check.files {
        let document = document(file)?;
        let (result, passes) = match check.against.contract_for(file)? {
            Some(contract) => (evaluator.check(&document, &contract).await.map(|_| ()), "passes"),
            None if document.format() == Format::Nickel => (evaluator.typecheck(&document).await, TYPES_ONLY),
            None => {
                return Err(failure(
                    2,
                    format!(
                        "what {document} is, its name does not tell: say --kind (one of {}) or --contract",
                        kinds::names().join(", ")
                    ),
                ));
            }
        };
        reports.push(show::Report::new(&document, &result));
        if let Err(error) = result {
            let failure = Failure::from(error);
            worst = worst.max(Some(failure.code));
            if check.format == Shape::Table {
                show::error(&failure.text);
            }
        } else if check.format == Shape::Table {
            show::line(&format!("{document}: {passes}"));
        }
    }
    if check.format == Shape::Json {
        show::json(&reports)?;
    }
    Ok(ExitCode::from(worst.unwrap_or(0)))
}

async fn run_export(export: Export, deadline: Duration) -> Result<ExitCode, Failure> {
    let evaluator = evaluator(export.against.import_path.clone(), deadline)?;
    let document = document(&export.file)?;
    let contract = export.against.contract_for(&export.file)?;
    let checked = match (contract, &export.field) {
        (Some(_), Some(_)) => {
            return Err(failure(
                2,
                "--field goes with documents that have no contract: leave one of the two out",
            ));
        }
        (Some(contract), None) => evaluator.check(&document, &contract).await?,
        (None, Some(field)) => evaluator.evaluate_field(&document, field).await?,
        (None, None) => evaluator.evaluate(&document).await?,
    };
    show::value(&checked.value, export.format)?;
    Ok(ExitCode::SUCCESS)
}

async fn run_types(what: Option<String>, format: Shape, deadline: Duration) -> Result<ExitCode, Failure> {
    let Some(what) = what else {
        show::kinds(format)?;
        return Ok(ExitCode::SUCCESS);
    };
    let evaluator = evaluator(Vec::new(), deadline)?;
    let (file, prefix) = match Kind::named(&what) {
        Some(kind) => (install_for_user()?.join(kind.file), Some(kind.contract)),
        None if Path::new(&what).is_file() => (absolute(Path::new(&what))?, None),
        None => {
            return Err(failure(
                3,
                format!("there is no kind and no file {what}; `drp schema types` lists the kinds"),
            ));
        }
    };
    let mut fields = evaluator.describe(&Document::file(file)).await?;
    if let Some(contract) = prefix {
        fields.retain_mut(|field| {
            match field.name.strip_prefix(contract).and_then(|rest| rest.strip_prefix('.')) {
                Some(rest) => {
                    field.name = rest.to_owned();
                    true
                }
                None => false,
            }
        });
    }
    show::fields(&fields, format)?;
    Ok(ExitCode::SUCCESS)
}

impl Against {
    fn contract_for(&self, file: &Path) -> Result<Option<String>, Failure> {
        if let Some(contract) = &self.contract {
            return Ok(Some(contract.clone()));
        }
        let kind = match &self.kind {
            Some(name) => Some(Kind::named(name).ok_or_else(|| {
                failure(2, format!("there is no kind {name}; there are {}", kinds::names().join(", ")))
            })?),
            None => Kind::of(file),
        };
        Ok(kind.map(Kind::expression))
    }
}

/// Documents of whoever runs this may import whatever that user can read.
fn evaluator(import_paths: Vec<PathBuf>, deadline: Duration) -> Result<Evaluator, Failure> {
    let mut settings = Settings::beside_this_program()?;
    settings.deadline = deadline;
    settings.import_paths = vec![install_for_user()?, absolute(Path::new("."))?];
    for path in import_paths {
        settings.import_paths.push(absolute(&path)?);
    }
    Ok(Evaluator::new(settings))
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| failure(3, format!("cannot read {}: {error}", path.display())))
}

fn document(file: &Path) -> Result<Document, Failure> {
    if file == Path::new("-") {
        let mut text = String::new();
        let read = std::io::stdin().take(64 << 20).read_to_string(&mut text);
        read.map_err(|error| failure(2, format!("cannot read standard input: {error}")))?;
        return Ok(Document::text("standard-input.ncl", Format::Nickel, text));
    }
    let path = absolute(file)?;
    Ok(Document::file(path))
}
