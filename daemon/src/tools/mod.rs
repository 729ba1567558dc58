//! What callers can ask for: one small file a tool, one table of them all. Knows neither MCP nor HTTP.
//! Parsing, deadline, panic guard, error mapping and serialising exist once, around the table.

mod catalogue;
pub mod chats;
mod context;
pub mod diagnostics;
mod dispatch;
mod error;
mod guide;
mod input;
pub mod interactions;
pub mod lifecycle;
pub mod runtime;
pub mod views;
pub mod work;
pub mod workflows;

pub use catalogue::catalogue;
pub use context::{Caller, Cx, Standing};
pub use dispatch::call;
pub use error::ToolError;
pub use work::event_view;

use common::safe::AgentSafe;
use futures_util::future::BoxFuture;
use schemars::{JsonSchema, generate::SchemaSettings, transform::RestrictFormats};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a tool may touch, and so what it is announced as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Changes nothing.
    Read,
    /// Starts work; repeatable by its request id.
    Submit,
    /// Changes work that exists.
    Control,
}

/// Where the tool stands in the contract (BEHAVIOUR 1): group, role, what usually comes next.
#[derive(Debug, Clone, Copy)]
pub struct Contract {
    pub group: &'static str,
    pub role: &'static str,
    pub next_tools: &'static [&'static str],
    /// A caller that is codex itself, below our app-server, may ask this: it shows no content.
    pub bare: bool,
}

pub trait Tool {
    const NAME: &'static str;
    const ABOUT: &'static str;
    const ACCESS: Access;
    const CONTRACT: Contract;
    /// The JSON schema of the arguments, as callers of the contract know it.
    const INPUT: &'static str;
    type Input: DeserializeOwned + Send;
    type Output: AgentSafe + JsonSchema + Send;

    fn call(cx: &Cx, input: Self::Input) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;
}

pub struct ToolEntry {
    pub name: &'static str,
    pub about: &'static str,
    pub access: Access,
    pub contract: Contract,
    pub input: &'static str,
    pub output: fn() -> Value,
    run: fn(Cx, Value) -> BoxFuture<'static, Result<Value, ToolError>>,
}

const fn entry<T: Tool + 'static>() -> ToolEntry {
    ToolEntry {
        name: T::NAME,
        about: T::ABOUT,
        access: T::ACCESS,
        contract: T::CONTRACT,
        input: T::INPUT,
        output: output_schema::<T::Output>,
        run: |cx, arguments| {
            Box::pin(async move {
                let input = serde_json::from_value(arguments).map_err(|e| ToolError::invalid(&format!("the arguments do not fit: {e}")))?;
                let output = T::call(&cx, input).await?;
                serde_json::to_value(output).map_err(|e| ToolError::internal(&e))
            })
        },
    }
}

/// Only formats that JSON Schema defines: clients that check what a tool answers complain about `uint32`, once for every
/// place it stands at, whenever they list the tools.
fn output_schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::default().with_transform(RestrictFormats::default());
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// In order of name; a test checks it.
pub static TOOLS: &[ToolEntry] = &[
    entry::<workflows::adopt::AdoptPlan>(),
    entry::<interactions::answer::Answer>(),
    entry::<workflows::approve::ApprovePlan>(),
    entry::<lifecycle::archive::ArchiveThread>(),
    entry::<workflows::execute::ExecutePlan>(),
    entry::<runtime::app_server_status::AppServerStatus>(),
    entry::<runtime::concurrency_status::ConcurrencyStatus>(),
    entry::<work::events::GetEvents>(),
    entry::<work::operation_status::OperationStatus>(),
    entry::<runtime::queue_status::QueueStatus>(),
    entry::<lifecycle::compaction_status::CompactionStatus>(),
    entry::<work::turn_status::TurnStatus>(),
    entry::<runtime::worker_command_status::WorkerCommandStatus>(),
    entry::<runtime::worker_status::WorkerStatus>(),
    entry::<workflows::status::WorkflowStatus>(),
    entry::<diagnostics::health::HealthSummary>(),
    entry::<work::interrupt::InterruptTurn>(),
    entry::<interactions::pending::ListPending>(),
    entry::<chats::projects::ListProjects>(),
    entry::<runtime::restart::RestartAppServer>(),
    entry::<workflows::revise::RevisePlan>(),
    entry::<chats::send_message::SendMessage>(),
    entry::<chats::start_chat::StartChat>(),
    entry::<workflows::start_plan::StartPlan>(),
    entry::<workflows::start_review::StartReview>(),
    entry::<lifecycle::compact::CompactThread>(),
    entry::<work::submit::SubmitTask>(),
    entry::<lifecycle::unarchive::UnarchiveThread>(),
    entry::<work::wait::Wait>(),
];

pub fn find(name: &str) -> Option<&'static ToolEntry> {
    TOOLS.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests {
    use super::TOOLS;

    #[test]
    fn the_table_is_in_order_of_name() {
        assert!(TOOLS.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
