//! Functions that ask the render's source. The engine's functions are bare pointers, so the source stands in the thread.

use crate::{MAX_DEPTH, Source, TemplateError, value};
use gtmpl_ng::{Func, FuncError, Value};
use serde_json::Value as Json;
use std::{
    cell::{Cell, RefCell},
    sync::Arc,
};

/// Methods that templates call on the dot, with or without arguments.
pub(crate) const METHODS: &[&str] = &[
    "Param",
    "ParamExists",
    "ComposeParam",
    "ParamExpand",
    "ComposeParamExpand",
    "ParamAsJSON",
    "ParamAsYAML",
    "ParseUrl",
    "CallTemplate",
    "GenerateToken",
    "GenerateInfiniteToken",
    "GenerateProfileToken",
    "BootParams",
    "Machine.MacAddr",
    "Machine.HasProfile",
    "Machine.HasTask",
    "Env.PathFor",
    "Env.JoinInitrds",
    "Task.HasFeature",
    "Stage.HasTask",
];

thread_local! {
    static SOURCE: RefCell<Option<Arc<dyn Source>>> = const { RefCell::new(None) };
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// Runs something with a source in the thread, and puts back what was there.
pub(crate) fn within<T>(source: Arc<dyn Source>, run: impl FnOnce() -> T) -> T {
    struct Restore(Option<Arc<dyn Source>>, usize);
    impl Drop for Restore {
        fn drop(&mut self) {
            SOURCE.set(self.0.take());
            DEPTH.set(self.1);
        }
    }
    let _restore = Restore(SOURCE.replace(Some(source)), DEPTH.replace(0));
    run()
}

fn source() -> Result<Arc<dyn Source>, FuncError> {
    let source = SOURCE.with_borrow(|source| source.clone());
    source.ok_or_else(|| FuncError::Generic("nothing is rendered here".to_owned()))
}

fn ask(method: &str, args: &[Value]) -> Result<Value, FuncError> {
    let args: Vec<Json> = args.iter().map(value::json).collect();
    let answer = source()?.call(method, &args).map_err(FuncError::Generic)?;
    Ok(value::of(&answer))
}

/// A render within the render, under the same source.
fn nested(name: &str, text: &str, dot: Value) -> Result<String, FuncError> {
    let depth = DEPTH.get();
    if depth >= MAX_DEPTH {
        return Err(FuncError::Generic(format!("templates call each other more than {MAX_DEPTH} deep")));
    }
    DEPTH.set(depth + 1);
    let source = source()?;
    let rendered: Result<String, TemplateError> = crate::render_here(name, text, dot, &*source);
    DEPTH.set(depth);
    rendered.map_err(|error| FuncError::Generic(error.to_string()))
}

/// `CallTemplate "id" .`: unlike `template`, its result is a value.
fn call_template(args: &[Value]) -> Result<Value, FuncError> {
    let (Some(Value::String(id)), dot) = (args.first(), args.get(1)) else {
        return Err(FuncError::AtLeastXArgs("CallTemplate".to_owned(), 1));
    };
    let source = source()?;
    let text =
        source.template(id).ok_or_else(|| FuncError::Generic(format!("template {id} does not exist")))?;
    let dot = dot.cloned().unwrap_or_else(|| value::of(&source.data()));
    nested(id, &text, dot).map(Value::String)
}

/// A param whose texts may be templates themselves.
fn expand(method: &str, args: &[Value]) -> Result<Value, FuncError> {
    let found = ask(method, args)?;
    let name = args.first().map(ToString::to_string).unwrap_or_default();
    let dot = value::of(&source()?.data());
    expanded(&name, found, &dot)
}

fn expanded(name: &str, found: Value, dot: &Value) -> Result<Value, FuncError> {
    Ok(match found {
        Value::String(text) if text.contains("{{") => Value::String(nested(name, &text, dot.clone())?),
        Value::Array(list) => {
            Value::Array(list.into_iter().map(|v| expanded(name, v, dot)).collect::<Result<_, _>>()?)
        }
        Value::Map(map) => Value::Map(
            map.into_iter()
                .map(|(k, v)| Ok((k, expanded(name, v, dot)?)))
                .collect::<Result<_, FuncError>>()?,
        ),
        other => other,
    })
}

/// The functions behind [`METHODS`].
pub(crate) const ALL: &[(&str, Func)] = &[
    ("drp_Param", |a| ask("Param", a)),
    ("drp_ParamExists", |a| ask("ParamExists", a)),
    ("drp_ComposeParam", |a| ask("ComposeParam", a)),
    ("drp_ParamExpand", |a| expand("Param", a)),
    ("drp_ComposeParamExpand", |a| expand("ComposeParam", a)),
    ("drp_ParamAsJSON", |a| {
        serde_json::to_string(&value::json(&ask("Param", a)?))
            .map(Value::String)
            .map_err(|e| FuncError::Generic(e.to_string()))
    }),
    // JSON is YAML, and needs no rules of its own.
    ("drp_ParamAsYAML", |a| {
        serde_json::to_string(&value::json(&ask("Param", a)?))
            .map(Value::String)
            .map_err(|e| FuncError::Generic(e.to_string()))
    }),
    ("drp_ParseUrl", |a| ask("ParseUrl", a)),
    ("drp_CallTemplate", call_template),
    ("callTemplate", call_template),
    ("drp_GenerateToken", |a| ask("GenerateToken", a)),
    ("drp_GenerateInfiniteToken", |a| ask("GenerateInfiniteToken", a)),
    ("drp_GenerateProfileToken", |a| ask("GenerateProfileToken", a)),
    // They are a template themselves.
    ("drp_BootParams", |a| expand("BootParams", a)),
    ("drp_Machine_MacAddr", |a| ask("Machine.MacAddr", a)),
    ("drp_Machine_HasProfile", |a| ask("Machine.HasProfile", a)),
    ("drp_Machine_HasTask", |a| ask("Machine.HasTask", a)),
    ("drp_Env_PathFor", |a| ask("Env.PathFor", a)),
    ("drp_Env_JoinInitrds", |a| ask("Env.JoinInitrds", a)),
    ("drp_Task_HasFeature", |a| ask("Task.HasFeature", a)),
    ("drp_Stage_HasTask", |a| ask("Stage.HasTask", a)),
];
