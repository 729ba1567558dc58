//! Files and folders that somebody put where we look: a pipe that is waited on for ever, a link that leads to another
//! project by the time a turn is sent (FAULTS B4, B12).

use crate::home;
use serde_json::json;
use std::time::Duration;
use tests::client::id_of;

const MAX: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipe_in_the_place_of_the_list_of_projects_holds_nobody_up() {
    let mut home = home().await;
    let root = home.project.parent().unwrap().to_path_buf();
    home.set("CODEX_PROJECTS_ROOT", root.clone());
    home.start_daemon().unwrap();
    assert!(std::process::Command::new("mkfifo").arg(root.join("projects.json")).status().unwrap().success());
    let listed = tokio::time::timeout(Duration::from_secs(10), home.ok("codex_list_projects", json!({}))).await.unwrap().unwrap();
    assert_eq!(listed["projects"][0]["name"], "shop", "{listed}");
    let id = home.submit("SAY done", "one").await.unwrap();
    home.ended(&[id], MAX).await.unwrap();
    home.connection().await.unwrap().send("POST", "/v1/admin/stop", Vec::new(), Duration::from_secs(10)).await.unwrap();
    home.daemon_ends().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_writers_never_meet_in_a_folder_whichever_project_they_were_handed_in_for() {
    let home = home().await;
    home.start_daemon().unwrap();
    let root = home.project.parent().unwrap();
    for name in ["alpha", "beta"] {
        std::fs::create_dir(root.join(name)).unwrap();
    }
    let task = |project: &str, cwd: &str, message: &str| json!({"operation_type": "start_chat", "project_id": root.join(project), "cwd": cwd, "message": message, "sandbox": "workspace-write"});
    let first = id_of(&home.ok("codex_submit_task", task("beta", ".", "HOLD gate done")).await.unwrap());
    home.reaches(&first, "running", MAX).await.unwrap();
    let second = id_of(&home.ok("codex_submit_task", task("alpha", "../beta", "SAY second")).await.unwrap());
    let status = home.status(&second).await.unwrap();
    assert_eq!(status["status"], "queued", "{status}");
    home.provider.release("gate");
    home.ended(&[first, second], MAX).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_that_became_a_link_while_its_task_waited_is_not_worked_in() {
    let home = home().await;
    home.start_daemon().unwrap();
    let root = home.project.parent().unwrap().to_path_buf();
    for name in ["alpha", "beta"] {
        std::fs::create_dir(root.join(name)).unwrap();
    }
    home.connection().await.unwrap().send("POST", "/v1/admin/pause", Vec::new(), MAX).await.unwrap();
    let task = json!({"operation_type": "start_chat", "project_id": root.join("alpha"), "message": "PATCH new.txt hello ;; SAY done", "sandbox": "workspace-write"});
    let id = id_of(&home.ok("codex_submit_task", task).await.unwrap());
    std::fs::remove_dir(root.join("alpha")).unwrap();
    std::os::unix::fs::symlink(root.join("beta"), root.join("alpha")).unwrap();
    home.connection().await.unwrap().send("POST", "/v1/admin/resume", Vec::new(), MAX).await.unwrap();
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    let status = home.status(&id).await.unwrap();
    assert_eq!(status["status"], "failed", "{status}");
    assert!(status["lastError"].as_str().unwrap().contains("a link was put in its place"), "{status}");
    assert!(!root.join("beta/new.txt").exists());
}
