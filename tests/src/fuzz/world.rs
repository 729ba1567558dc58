//! A daemon's inside for the readers: the real engine on a real store, tools, policy and configuration, and one
//! operation that has run. No codex and no socket; nothing that is handed in here is ever sent anywhere.

use anyhow::Context;
use common::{ids::*, place::Place, safe::Prompt};
use daemon::{
    appserver::{
        Inventory,
        server::Keeper,
        translate::{ChildEvent, End},
    },
    clock::{Clock, Hands},
    config::{self, Config},
    engine::{Cause, Done, Engine, NewOperation, Rules},
    projects::Policy,
    store::{
        self, Reader,
        tables::{
            app_server::{Address, Process},
            effects,
            operations::{AskedBy, OperationType, Spec},
        },
    },
    tools::{Caller, Cx},
};
use domain::{operation::Target, schedule::Priority};
use std::sync::{Arc, atomic::Ordering};

pub(super) const GENERATION: Generation = Generation(1);
/// Named in the words of the targets, so that inputs get at what is there.
pub(super) const OPERATION: &str = "00000000-0000-7000-8000-00000000beef";
pub(super) const THREAD: &str = "thread-of-beef";
pub(super) const TURN: &str = "turn-of-beef";

/// Few, so that a world full of submits stays quick.
const OPERATIONS_LIVE_MAX: i64 = 64;
const NOW: i64 = 1_760_000_000_000;

pub(super) struct World {
    pub(super) engine: Engine,
    pub(super) reader: Reader,
    pub(super) policy: Policy,
    pub(super) config: Arc<Config>,
    pub(super) place: Place,
    pub(super) inventory: Inventory,
    hands: Arc<Hands>,
    /// Dropped last: the files of everything above.
    _folder: tempfile::TempDir,
}

/// On a disk in memory where there is one: a world is written a thousand times a second.
pub(super) fn folder() -> anyhow::Result<tempfile::TempDir> {
    let memory = std::path::Path::new("/dev/shm");
    let base = if memory.is_dir() { memory.to_path_buf() } else { std::env::temp_dir() };
    Ok(tempfile::Builder::new().prefix("codexcp-fuzz-").tempdir_in(base)?)
}

impl World {
    /// With the operation at work; `ended` lets it complete.
    pub(super) async fn new(ended: bool) -> anyhow::Result<World> {
        let folder = folder()?;
        let root = folder.path().canonicalize()?;
        let (home, projects) = (root.join("home"), root.join("projects"));
        for one in [&home, &projects.join("shop")] {
            std::fs::create_dir_all(one)?;
        }
        let place = Place::in_folder(&home);
        std::fs::write(&place.config_file, format!("allowed_roots = [{projects:?}]\n"))?;
        let config = Arc::new(config::resolve(&place, &[], &|_| None)?);
        let connection = store::open_for_writing(&place.state_file())?;
        // Power cuts are not the question here.
        connection.pragma_update(None, "synchronous", "OFF")?;
        let reader = Reader::open(&place.state_file())?;
        let hands = Arc::new(Hands::default());
        hands.wall.store(NOW, Ordering::SeqCst);
        let rules = Rules {
            limits: config.limits,
            operations_live_max: OPERATIONS_LIVE_MAX,
            silence_max: config.silence_max,
            silence_interrupts: false,
            waits_for_reset: true,
            approval_wait_max: None,
            approval_rules: &[],
            keep_prompts: false,
            retry_max: config.history.texts_kept_max,
        };
        // The writer ends when the last engine is dropped.
        let (engine, _) = Engine::start(connection, Clock::Manual(hands.clone()), rules)?;
        let policy = Policy::new(&config.allowed_roots, config.projects_registry.clone(), Vec::new());
        // Without a keeper a tool that asks codex hears at once that it is not there.
        let (_, links) = Keeper::new(engine.clone(), reader.clone(), config.clone(), place.clone(), Default::default());
        let inventory = Inventory::new(links);
        let world = World { engine, reader, policy, config, place, inventory, hands, _folder: folder };
        world.at_work(&projects.join("shop")).await?;
        if ended {
            world.child(ChildEvent::TurnEnded { thread: ThreadId::new(THREAD), turn: TurnId::new(TURN), end: End::Completed }).await?;
        }
        Ok(world)
    }

    pub(super) fn cx(&self) -> Cx {
        Cx {
            engine: self.engine.clone(),
            reader: self.reader.clone(),
            inventory: self.inventory.clone(),
            policy: self.policy.clone(),
            config: self.config.clone(),
            caller: Caller { program: "shim".to_owned(), connection: "fuzz".to_owned(), ..Caller::default() },
        }
    }

    /// Time goes on by a second with each input.
    pub(super) fn pass(&self) {
        for hand in [&self.hands.wall, &self.hands.steady] {
            hand.fetch_add(1_000, Ordering::SeqCst);
        }
    }

    pub(super) async fn apply(&self, cause: Cause) -> Result<(), String> {
        let name = cause.name();
        self.engine.apply(cause).await.map(drop).map_err(|error| format!("the engine could not apply {name}: {error}"))
    }

    pub(super) async fn child(&self, event: ChildEvent) -> anyhow::Result<()> {
        self.engine.apply(Cause::Child { generation: GENERATION, event }).await?;
        Ok(())
    }

    async fn at_work(&self, project: &std::path::Path) -> anyhow::Result<()> {
        let process = Process {
            // Of nobody: callers are judged by whether they descend from it.
            pid: 4_000_000,
            started_s: 0,
            start_mark: None,
            address: Address::Stdio,
            codex_home: project.to_path_buf(),
            binary: project.to_path_buf(),
            binary_mark: String::new(),
        };
        let client = ClientMessageId::new(format!("codexcp:{OPERATION}"));
        let submit = Cause::Submit(Box::new(new_operation(project, &client)));
        for cause in [
            Cause::Started,
            Cause::Spawned { generation: GENERATION, process: process.clone() },
            Cause::LinkUp { generation: GENERATION, process: Some(process) },
            submit,
        ] {
            self.engine.apply(cause).await?;
        }
        let rows = self.reader.read(|tx| effects::all(tx)).await?;
        let effect = rows.first().context("the submit left no effect")?.id;
        let (thread, turn) = (ThreadId::new(THREAD), TurnId::new(TURN));
        let done = Done::ThreadCreated { thread: thread.clone() };
        self.engine.apply(Cause::EffectDone { effect, generation: GENERATION, done }).await?;
        self.child(ChildEvent::UserMessage { thread: thread.clone(), turn: turn.clone(), client: Some(client) }).await?;
        let text = "Done:\n```json\n{\"ok\": true}\n```".to_owned();
        self.child(ChildEvent::AgentMessage { thread: thread.clone(), turn: turn.clone(), item: ItemId::new("item-1"), text }).await?;
        for (request, method) in QUESTIONS {
            let params = serde_json::json!({"threadId": "elsewhere", "questions": [{"id": "q1", "question": "Which?"}], "command": "ls"});
            let asked = ChildEvent::Request {
                request: ServerRequestId::new(request.to_string()),
                method: (*method).to_owned(),
                thread: Some(ThreadId::new("elsewhere")),
                turn: None,
                item: None,
                params,
            };
            self.child(asked).await?;
        }
        Ok(())
    }
}

/// One of each kind, on a thread of somebody else, so that they stay open. Their ids follow from these numbers.
const QUESTIONS: &[(i64, &str)] = &[
    (1, "item/commandExecution/requestApproval"),
    (2, "item/permissions/requestApproval"),
    (3, "item/tool/requestUserInput"),
    (4, "mcpServer/elicitation/request"),
];

fn new_operation(project: &std::path::Path, client: &ClientMessageId) -> NewOperation {
    NewOperation {
        id: OperationId::new(OPERATION),
        request_key: RequestKey::new("beef"),
        request_digest: "beef".to_owned(),
        spec: Spec {
            operation_type: OperationType::StartChat,
            target: Target::NewThread,
            project_id: ProjectId::new("shop"),
            project_root: project.to_path_buf(),
            cwd: project.to_path_buf(),
            title: None,
            model: None,
            sandbox: None,
            approval: None,
            priority: Priority::default(),
            cost: Default::default(),
            agent_id: None,
            resource_keys: Vec::new(),
            writes: Vec::new(),
            request_ms_max: common::time::Millis(30_000),
            turn_ms_max: None,
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
        },
        prompt: Prompt::new("look around"),
        prompt_digest: String::new(),
        prompt_form: "look around".to_owned(),
        project_key: projects_key(project),
        client_message: client.clone(),
        guard_duplicates: true,
        firsts: Vec::new(),
    }
}

fn projects_key(project: &std::path::Path) -> String {
    daemon::projects::key_of(project)
}
