//! A warm Nickel: the standard library and the contracts used so far stay loaded until one of their files changes.

use crate::{describe, diagnose};
use drp_schemas::{Answer, Ask, Diagnostic, Document, Format, Outcome, Request};
use nickel_lang_core::ast::InputFormat;
use nickel_lang_core::cache::{CacheHub, SourcePath};
use nickel_lang_core::error::{Error, NullReporter};
use nickel_lang_core::eval::cache::CacheImpl;
use nickel_lang_core::eval::{Closure, VirtualMachine, VmContext};
use nickel_lang_core::files::FileId;
use nickel_lang_core::label::Label;
use nickel_lang_core::position::PosIdx;
use nickel_lang_core::program::FieldPath;
use nickel_lang_core::serialize::{self, ExportFormat};
use nickel_lang_core::term::RuntimeContract;
use nickel_lang_core::typ::{Type, TypeF};
use nickel_lang_core::typecheck::TypecheckMode;
use std::collections::HashMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// The machine that evaluates.
pub(crate) type Machine = VmContext<CacheHub, CacheImpl>;

/// What tells that a file is still the one that was read.
#[derive(PartialEq, Eq, Clone, Copy)]
struct Stamp {
    changed: (i64, i64),
    size: u64,
    inode: u64,
}

impl From<Metadata> for Stamp {
    fn from(meta: Metadata) -> Self {
        Self { changed: (meta.ctime(), meta.ctime_nsec()), size: meta.len(), inode: meta.ino() }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    path.metadata().ok().map(Into::into)
}

/// Why a request has no value.
enum Failure {
    Nickel(Box<Error>),
    Own(Box<Diagnostic>),
}

fn own(message: String, hint: &str) -> Failure {
    Failure::Own(Box::new(diagnose::own(message, hint)))
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Nickel(Box::new(error.into()))
    }
}

/// What stays from one request to the next.
#[derive(Default)]
pub(crate) struct Session {
    machine: Option<Machine>,
    import_paths: Vec<PathBuf>,
    roots: Option<Vec<PathBuf>>,
    /// Contracts that are ready, by their expression.
    contracts: HashMap<String, RuntimeContract>,
    /// The files read so far.
    files: HashMap<PathBuf, Option<Stamp>>,
}

impl Session {
    /// Answers one request.
    pub(crate) fn answer(&mut self, request: &Request) -> Answer {
        if self.import_paths != request.import_paths
            || self.roots != request.roots
            || self.files.iter().any(|(path, then)| stamp(path) != *then)
        {
            *self = Self {
                import_paths: request.import_paths.clone(),
                roots: request.roots.clone(),
                ..Self::default()
            };
        }
        // Contracts that were applied once no longer tell what they were made of.
        let fresh = matches!(request.ask, Ask::Describe);
        let warm = if fresh { None } else { self.machine.take() };
        let mut machine = warm.unwrap_or_else(|| new_machine(&request.import_paths));
        let done = catch_unwind(AssertUnwindSafe(|| self.evaluate(&mut machine, request)));
        let files = files_of(&machine);
        if let Some(refused) = outside(&files, request) {
            // Neither values nor errors made from such a file leave this process; nor is it kept.
            *self = Self::default();
            return Answer { outcome: Outcome::Wrong(vec![refused]), files: Vec::new() };
        }
        let outcome = match done {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(Failure::Own(diagnostic))) => Outcome::Wrong(vec![*diagnostic]),
            Ok(Err(Failure::Nickel(error))) => Outcome::Wrong(self.diagnose(&machine, request, *error)),
            Err(panic) => {
                // A machine that gave up half-way is not used again.
                *self = Self::default();
                return Answer { outcome: Outcome::Wrong(vec![diagnose::gave_up(panic.as_ref())]), files };
            }
        };
        if !fresh {
            for path in &files {
                self.files.entry(path.clone()).or_insert_with(|| stamp(path));
            }
            self.machine = Some(machine);
        }
        Answer { outcome, files }
    }

    fn diagnose(&self, machine: &Machine, request: &Request, error: Error) -> Vec<Diagnostic> {
        let text = match &request.document {
            Document::File { path, .. } => std::fs::read_to_string(path).unwrap_or_default(),
            Document::Text { text, .. } => text.clone(),
        };
        let document = diagnose::Text { name: request.document.to_string(), text };
        diagnose::all(
            machine.import_resolver.sources.files().clone(),
            &document,
            &request.import_paths,
            error,
        )
    }

    fn evaluate(&mut self, machine: &mut Machine, request: &Request) -> Result<Outcome, Failure> {
        let document = load(machine, &request.document)?;
        match &request.ask {
            // Other languages have no types of their own: it is enough that they can be read.
            Ask::Typecheck if request.document.format() != Format::Nickel => {
                machine.prepare_eval(document)?;
                Ok(Outcome::Typechecks)
            }
            Ask::Typecheck => {
                machine.import_resolver.load_stdlib()?;
                machine.import_resolver.parse_to_ast(document)?;
                let checked = machine.import_resolver.typecheck(document, TypecheckMode::Walk);
                checked.map_err(|error| error.unwrap_error("it was parsed before"))?;
                Ok(Outcome::Typechecks)
            }
            Ask::Describe => {
                let value = machine.prepare_eval(document)?;
                Ok(Outcome::Fields(describe::fields(machine, value)?))
            }
            Ask::Evaluate { contract, field } => {
                let value = machine.prepare_eval(document)?;
                let contract = contract.as_ref().map(|text| self.contract(machine, text)).transpose()?;
                let value = RuntimeContract::apply_all(value, contract, PosIdx::NONE);
                let field = match field {
                    Some(field) => FieldPath::parse(&mut machine.import_resolver, field.clone())?,
                    None => FieldPath::new(),
                };
                let mut vm = VirtualMachine::new(machine);
                let part = vm.extract_field_value_closure(Closure::from(value), &field)?;
                let value = vm.eval_full_for_export_closure(part)?;
                drop(vm);
                serialize::validate(ExportFormat::Json, &value)
                    .map_err(|error| Error::export_error(machine.pos_table.clone(), error))?;
                let json = serde_json::to_value(&value);
                json.map(Outcome::Value)
                    .map_err(|error| own(format!("the value cannot be written as JSON: {error}"), PLAIN_DATA))
            }
        }
    }

    /// A contract, ready to be applied. The label is what Nickel blames when a value breaks it.
    fn contract(&mut self, machine: &mut Machine, expression: &str) -> Result<RuntimeContract, Failure> {
        if let Some(ready) = self.contracts.get(expression) {
            return Ok(ready.clone());
        }
        let name = SourcePath::Generated(format!("contract {expression}"));
        let id = machine.import_resolver.sources.add_string(name, expression.to_owned());
        machine.import_resolver.prepare(&mut machine.pos_table, id)?;
        let value =
            machine.import_resolver.terms.get_owned(id).ok_or_else(|| {
                own(format!("{expression} is not a contract"), "name a record or a contract")
            })?;
        // Its definition, rather than the expression that names it, is what people have to look at.
        let defined = VirtualMachine::new(machine).eval_closure(Closure::from(value.clone()))?.value;
        let pos = machine.pos_table.get(defined.pos_idx());
        let typ = Type { typ: TypeF::Contract(value.clone()), pos };
        let span = machine.import_resolver.sources.files().source_span(id);
        let span = machine.pos_table.push(span.into());
        let ready =
            RuntimeContract::new(value, Label { typ: std::rc::Rc::new(typ), span, ..Label::default() });
        self.contracts.insert(expression.to_owned(), ready.clone());
        Ok(ready)
    }
}

const PLAIN_DATA: &str =
    "it must consist of records, arrays, strings, numbers, booleans, null and bare enum tags";

fn new_machine(import_paths: &[PathBuf]) -> Machine {
    let mut machine = VmContext::new(CacheHub::new(), std::io::sink(), NullReporter {});
    machine.import_resolver.sources.add_import_paths(import_paths.iter());
    machine
}

fn load(machine: &mut Machine, document: &Document) -> Result<FileId, Failure> {
    let format = match document.format() {
        Format::Nickel => InputFormat::Nickel,
        Format::Json => InputFormat::Json,
        Format::Yaml => InputFormat::Yaml,
        Format::Toml => InputFormat::Toml,
    };
    let sources = &mut machine.import_resolver.sources;
    match document {
        Document::File { path, .. } => {
            sources.get_or_add_file(path, format).map(|op| op.inner()).map_err(|error| {
                own(format!("cannot read {}: {error}", path.display()), "name a file that is there")
            })
        }
        // Not replaced in place: what was made from the text before would stay.
        Document::Text { name, text, .. } => {
            Ok(sources.add_string(SourcePath::Path(name.into(), format), text.clone()))
        }
    }
}

/// The files on disk that the machine has read.
fn files_of(machine: &Machine) -> Vec<PathBuf> {
    let paths = machine.import_resolver.sources.file_paths.values();
    let mut files: Vec<PathBuf> = paths
        .filter_map(|source| match source {
            SourcePath::Path(path, _) if path.is_absolute() => Some(path.clone()),
            _ => None,
        })
        .collect();
    files.sort();
    files.dedup();
    files
}

fn outside(files: &[PathBuf], request: &Request) -> Option<Diagnostic> {
    let roots = request.roots.as_ref()?;
    let allowed: Vec<PathBuf> =
        roots.iter().chain(&request.import_paths).filter_map(|root| root.canonicalize().ok()).collect();
    let inside = |path: &PathBuf| {
        path.canonicalize().is_ok_and(|real| allowed.iter().any(|root| real.starts_with(root)))
    };
    let file = files.iter().find(|path| !inside(path))?;
    Some(diagnose::own(
        format!("it imports {}, which lies outside of the folders that it may read", file.display()),
        "import only files of the extension or workspace itself and the contracts that ship with drp",
    ))
}
