//! The hooks of a plugin (wire-protocol §7).

use crate::{Action, Context, Error, Event, Params, PluginProvider, Value};
use std::{future::Future, path::Path};

/// Every plugin. All hooks have a default, so the smallest plugin implements none.
///
/// Write hooks as `async fn`. A hook that panics fails its request with status 500; the plugin lives on. A
/// hook that was started runs to its end even when the caller hangs up. All hooks share one thread unless
/// [`Definition::threads`](crate::Definition::threads) says otherwise: never block in them, use
/// `tokio::task::spawn_blocking`.
pub trait Plugin: Send + Sync + Sized + 'static {
    /// Takes over params: first call after start, and again whenever the daemon sends them, perhaps while
    /// actions run. `params` holds the resolved and decrypted params of the plugin object and `Name`.
    fn config(&self, ctx: &Context, params: Params) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = (ctx, params);
        async { Ok(()) }
    }

    /// Last chance to tidy up, within
    /// [`Definition::stop_deadline`](crate::Definition::stop_deadline). [`Context::cancelled`] has fired already.
    fn stop(&self, ctx: &Context) -> impl Future<Output = ()> + Send {
        let _ = ctx;
        async {}
    }

    /// Writes files that the daemon shall serve below `/files/plugin_providers/<Name>` into `dir`, which exists
    /// when the future runs. Without this hook, `unpack` does nothing and makes no directory.
    fn unpack(&self, ctx: &Context, dir: &Path) -> impl Future<Output = Result<(), Error>> + Send {
        let _ = dir;
        ctx.say_no_unpack();
        async { Ok(()) }
    }

    /// Completes or refuses the definition at `define`, perhaps after asking the API. Not called when
    /// `RS_TOKEN` is `catalog`.
    fn validate(
        &self,
        ctx: &Context,
        definition: PluginProvider,
    ) -> impl Future<Output = Result<PluginProvider, Error>> + Send {
        let _ = ctx;
        async { Ok(definition) }
    }

    /// HTTP routes of the plugin's own, reached as `/plugin-apis/<plugin>/<route>` of the daemon
    /// (wire-protocol §1.14). The daemon authenticates the caller but asks for no claim, and passes all headers
    /// through, `Authorization` too: check what the caller may do before you act with the plugin's own rights.
    fn routes(&self, ctx: &Context) -> axum::Router {
        let _ = ctx;
        axum::Router::new()
    }
}

/// A plugin that runs actions. Wanted by [`Definition::action`](crate::Definition::action).
pub trait Actor: Plugin {
    /// Runs an action; the answer is any JSON value. An error with code 0 is sent as 500.
    fn action(&self, ctx: &Context, action: Action) -> impl Future<Output = Result<Value, Error>> + Send;
}

/// A plugin that takes events. Wanted by [`Definition::all_events`](crate::Definition::all_events).
pub trait Publisher: Plugin {
    /// Takes one event. Log lines written here are not published as events, so they cannot loop. With
    /// selected events an error is only logged, since nobody waits for it.
    fn publish(&self, ctx: &Context, event: Event) -> impl Future<Output = Result<(), Error>> + Send;
}

/// A plugin that takes the events it selects, over an event stream of its own that reconnects. Wanted by
/// [`Definition::selected_events`](crate::Definition::selected_events).
#[cfg(feature = "client")]
pub trait Selector: Publisher {
    /// The patterns to register (wire-protocol §4.2), for instance `machines.update.*`. Asked after each
    /// successful config.
    fn select_events(&self, ctx: &Context) -> impl Future<Output = Vec<String>> + Send;
}
