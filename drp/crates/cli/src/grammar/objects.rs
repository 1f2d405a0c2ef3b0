//! Verbs that all object types share, and the few that one type has alone.

use clap::{Args, Subcommand};

const BODY: &str = "JSON or YAML, a file that holds it, - for standard input";

/// Filters and controls of lists.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ListArgs {
    /// INDEX=VALUE or INDEX=FN(ARGS) with Eq Ne Lt Lte Gt Gte Between Except In Nin Re; also Meta.KEY and params
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Sort by an index
    #[arg(long, value_name = "INDEX")]
    pub(crate) sort: Vec<String>,
    /// Last first
    #[arg(long)]
    pub(crate) reverse: bool,
    /// At most so many
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Leave the first ones out
    #[arg(long, value_name = "N")]
    pub(crate) offset: Option<u64>,
}

/// Which parts of objects to show.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ShowArgs {
    /// Leave out these parts: Meta, Params
    #[arg(long, value_name = "PARTS")]
    pub(crate) slim: Option<String>,
    /// Only these params
    #[arg(long, value_name = "NAMES")]
    pub(crate) params: Option<String>,
    /// Fill params from profiles, stage, global and defaults
    #[arg(long)]
    pub(crate) aggregate: bool,
    /// Look further, and put the maps and lists that are found together
    #[arg(long)]
    pub(crate) compose: bool,
    /// Open secure params
    #[arg(long)]
    pub(crate) decode: bool,
}

/// How params are read.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct ReadArgs {
    /// Look further in profiles, stage, global and defaults
    #[arg(long)]
    pub(crate) aggregate: bool,
    /// Look further, and put the maps and lists that are found together
    #[arg(long)]
    pub(crate) compose: bool,
    /// Open secure params
    #[arg(long)]
    pub(crate) decode: bool,
}

/// When to answer (wire-protocol §3.6).
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PollArgs {
    /// Only when the object's tag, as `etag` gives it, is another one
    #[arg(long, value_name = "TAG")]
    pub(crate) etag: Option<String>,
    /// So long to wait for a change: seconds, or with a unit such as 90s or 5m, at most ten minutes
    #[arg(long, value_name = "TIME", value_parser = crate::input::duration)]
    pub(crate) wait: Option<std::time::Duration>,
}

/// Verbs of every type.
#[derive(Debug, Subcommand)]
pub(crate) enum ObjectVerb {
    /// List objects
    List {
        /// Which.
        #[command(flatten)]
        list: ListArgs,
        /// What of them.
        #[command(flatten)]
        show: ShowArgs,
    },
    /// Count objects
    Count {
        /// Which.
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show an object
    Show {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// What of it.
        #[command(flatten)]
        show: ShowArgs,
        /// When.
        #[command(flatten)]
        poll: PollArgs,
    },
    /// Exit with 0 when the object exists, with 3 when not
    Exists {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// When.
        #[command(flatten)]
        poll: PollArgs,
    },
    /// The tag of an object, which is another one after each change
    Etag {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
    },
    /// Make an object
    Create {
        /// The object, or only its name
        #[arg(help = format!("The object ({BODY}), or only its name"))]
        object: String,
    },
    /// Change the given fields of an object
    Update {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// Fields and their new values; null removes
        #[arg(help = format!("Fields and their new values ({BODY}); null removes"))]
        fields: String,
        /// Replace the whole object instead
        #[arg(long)]
        replace: bool,
    },
    /// Change an object by JSON Patch (RFC 6902), or from what it was to what it shall be
    Patch {
        /// Key, or INDEX:VALUE such as Name:m1; or the object as it must still be
        #[arg(value_name = "ID|OBJECT")]
        id: String,
        /// The patch
        #[arg(help = format!("List of operations; or the fields to change ({BODY})"))]
        patch: String,
    },
    /// Delete objects
    Destroy {
        /// Keys, or INDEX:VALUE such as Name:m1
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Wait until a field of an object has a value
    Wait {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// Field, for instance Runnable or Params.x, or a JSON Pointer
        field: String,
        /// The value, JSON or YAML
        value: String,
        /// Give up after so many seconds [default: a day]
        #[arg(default_value_t = 86_400, hide_default_value = true)]
        seconds: u64,
    },
    /// What the type can be filtered and sorted by
    Indexes {
        /// Only this one
        index: Option<String>,
    },
    /// Print changes of objects as they come, until interrupted
    Watch {
        /// Only one object (its key, or INDEX:VALUE), or those that pass filters as `list` takes them
        #[arg(value_name = "ID|FILTER")]
        what: Vec<String>,
    },
    /// Show or change the annotations of an object
    Meta(MetaArgs),
}

/// `meta`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
pub(crate) struct MetaArgs {
    /// Key, or INDEX:VALUE such as Name:m1
    #[arg(required = true)]
    pub(crate) id: Option<String>,
    /// What to do with one annotation.
    #[command(subcommand)]
    pub(crate) verb: Option<MetaVerb>,
}

/// `meta …`.
#[derive(Debug, Subcommand)]
pub(crate) enum MetaVerb {
    /// Show one annotation
    Get {
        /// Key of the object, or INDEX:VALUE such as Name:m1
        id: String,
        /// Name of the annotation
        #[arg(required = true, num_args = 1..=2, value_name = "KEY")]
        words: Vec<String>,
    },
    /// Set an annotation
    Set {
        /// Key of the object, or INDEX:VALUE such as Name:m1
        id: String,
        /// Name of the annotation and its text
        #[arg(required = true, num_args = 2..=4, value_names = ["KEY", "VALUE"])]
        words: Vec<String>,
    },
    /// Set an annotation that is not there yet
    Add {
        /// Key of the object, or INDEX:VALUE such as Name:m1
        id: String,
        /// Name of the annotation and its text
        #[arg(required = true, num_args = 2..=4, value_names = ["KEY", "VALUE"])]
        words: Vec<String>,
    },
    /// Remove an annotation
    Remove {
        /// Key of the object, or INDEX:VALUE such as Name:m1
        id: String,
        /// Name of the annotation
        #[arg(required = true, num_args = 1..=2, value_name = "KEY")]
        words: Vec<String>,
    },
}

/// Verbs of types that have params.
#[derive(Debug, Subcommand)]
pub(crate) enum ParamVerb {
    /// Show all params of an object, or replace them
    Params {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// New params
        #[arg(help = format!("Params that replace all of the object's ({BODY})"))]
        params: Option<String>,
        /// How.
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Show one param of an object: get ID param NAME
    Get {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// The word param
        #[arg(value_name = "param", value_parser = ["param"], hide_possible_values = true)]
        word: String,
        /// Name of the param
        name: String,
        /// How.
        #[command(flatten)]
        read: ReadArgs,
    },
    /// Set a param: set ID param NAME to VALUE
    Set(AssignArgs),
    /// Set a param that has no value yet: add ID param NAME to VALUE
    Add(AssignArgs),
    /// Remove a param: remove ID param NAME
    Remove {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// The word param
        #[arg(value_name = "param", value_parser = ["param"], hide_possible_values = true)]
        word: String,
        /// Name of the param
        name: String,
    },
}

/// `set` and `add`.
#[derive(Debug, Args)]
pub(crate) struct AssignArgs {
    /// Key, or INDEX:VALUE such as Name:m1
    pub(crate) id: String,
    /// The word param
    #[arg(value_name = "param", value_parser = ["param"], hide_possible_values = true)]
    pub(crate) word: String,
    /// Name of the param
    pub(crate) name: String,
    /// The word to
    #[arg(value_name = "to", value_parser = ["to"], hide_possible_values = true)]
    pub(crate) to: String,
    /// JSON or YAML; - for standard input, which keeps secrets out of the process list
    #[arg(allow_hyphen_values = true)]
    pub(crate) value: String,
}

/// Which plugin offers an action.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PluginFlag {
    /// Only of this plugin
    #[arg(long, value_name = "NAME")]
    pub(crate) plugin: Option<String>,
}

/// What an action is given.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct CallArgs {
    /// Params: names and values by turns, or one map: JSON or YAML, a file that holds it, - for standard input
    #[arg(value_name = "PARAM VALUE", allow_negative_numbers = true)]
    pub(crate) params: Vec<String>,
    /// Which plugin.
    #[command(flatten)]
    pub(crate) plugin: PluginFlag,
}

/// Objects that an action is run on, instead of one; and how.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Many objects")]
pub(crate) struct ManyArgs {
    /// Run it on all objects that pass, as `list` filters: INDEX=VALUE or INDEX=FN(ARGS); may be given more than once
    #[arg(long = "filter", value_name = "FILTER", conflicts_with_all = ["all", "ids"])]
    pub(crate) filters: Vec<String>,
    /// Run it on all objects
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    /// Run it on those whose keys (or INDEX:VALUE) stand in this file, one a line; - for standard input
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(crate) ids: Option<String>,
    /// On so many at the same time [default: 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) parallel: Option<u16>,
}

impl ManyArgs {
    /// Whether any of them names objects.
    pub(crate) fn any(&self) -> bool {
        self.all || self.ids.is_some() || !self.filters.is_empty()
    }
}

/// Verbs about actions.
#[derive(Debug, Subcommand)]
pub(crate) enum ActionVerb {
    /// Actions that are possible on an object now
    Actions {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// Which plugin.
        #[command(flatten)]
        plugin: PluginFlag,
    },
    /// One action of an object
    Action {
        /// Key, or INDEX:VALUE such as Name:m1
        id: String,
        /// Name of the action
        command: String,
        /// Which plugin.
        #[command(flatten)]
        plugin: PluginFlag,
    },
    /// Run an action on an object and print its result, or on many (--filter, --all, --ids)
    #[command(override_usage = "drp TYPE runaction [OPTIONS] <ID> <ACTION> [PARAM VALUE]...\n       \
                          drp TYPE runaction [OPTIONS] <--filter FILTER|--all|--ids FILE> <ACTION> [PARAM VALUE]...")]
    Runaction {
        /// Key, or INDEX:VALUE such as Name:m1; not with --filter, --all or --ids
        #[arg(value_name = "ID")]
        id: String,
        /// Name of the action
        #[arg(value_name = "ACTION", required_unless_present_any = ["filters", "all", "ids"])]
        command: Option<String>,
        /// What it is given.
        #[command(flatten)]
        call: CallArgs,
        /// On which, if not on one.
        #[command(flatten)]
        many: ManyArgs,
    },
}
