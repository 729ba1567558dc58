//! The work that is handed in to the world: of all priorities, costs and agents, readers and writers.

use crate::{
    engine::cause::NewOperation,
    store::tables::operations::{AskedBy, OperationType, Spec},
};
use common::{ids::*, safe::Prompt, time::Millis};
use domain::{
    locks::LockPath,
    operation::Target,
    schedule::{Cost, Priority},
};

/// Readers, and writers of parts and of the whole.
const WRITES: [&[&str]; 7] = [&[], &["/p/a"], &[], &["/p"], &["/p/a/b", "/p/c"], &[], &["/p/b"]];

pub(crate) fn new_operation(n: u32, target: Target, turn_ms_max: Option<Millis>) -> NewOperation {
    let spec = Spec {
        operation_type: OperationType::StartChat,
        target,
        project_id: ProjectId::new("p"),
        project_root: "/p".into(),
        cwd: "/p".into(),
        title: None,
        model: None,
        sandbox: None,
        approval: None,
        priority: [Priority::High, Priority::Normal, Priority::Low][n as usize % 3],
        cost: [Cost::Light, Cost::Normal, Cost::Heavy][n as usize % 3],
        agent_id: Some(n % 4).filter(|agent| *agent > 0).map(|agent| agent.to_string()),
        resource_keys: Vec::new(),
        writes: WRITES[n as usize % WRITES.len()].iter().map(|path| LockPath::whole(path)).collect(),
        request_ms_max: Millis(1),
        turn_ms_max,
        not_before: None,
        output_schema: None,
        mode: None,
        fork: None,
        review: None,
        images: Vec::new(),
        continues: None,
        workflow: None,
        adjusted: None,
        asked_by: AskedBy::default(),
        request_key_given: true,
    };
    NewOperation {
        id: OperationId::new(format!("op{n}")),
        request_key: RequestKey::new(n.to_string()),
        request_digest: n.to_string(),
        spec,
        prompt: Prompt::new(format!("prompt {n}")),
        prompt_digest: String::new(),
        prompt_form: n.to_string(),
        project_key: "p".into(),
        client_message: ClientMessageId::new(format!("c{n}")),
        guard_duplicates: true,
        firsts: Vec::new(),
    }
}
