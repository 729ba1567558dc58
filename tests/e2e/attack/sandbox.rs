//! A sandboxed command that goes for our own folders, and for what the user's own settings keep from it (FAULTS B3, B6, B10,
//! B13, B16).

use super::{configure_codex, printed, quoted};
use crate::home;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_sandboxed_turn_sees_the_home_or_the_login_whatever_its_sandbox() {
    for sandbox in [json!("read-only"), json!("workspace-write"), json!("respect_existing")] {
        let home = home().await;
        std::fs::write(home.codex_home.join("auth.json"), "{}").unwrap();
        home.start_daemon().unwrap();
        let (own, login) = (quoted(&home.place.home), quoted(&home.codex_home.join("auth.json")));
        let commands = [
            format!(
                "cat {own}/state.sqlite3 | wc -c; ls {own} | wc -l; cat {login} | wc -c; ls {}",
                quoted(home.project.parent().unwrap())
            ),
            format!("flock -n {own}/daemon.lock echo locked; echo x > {own}/planted; ls -la {own}/logs {own}/run | wc -l"),
            "cat /etc/hostname | wc -l".to_owned(),
        ];
        let out = printed(&home, sandbox.clone(), &home.project, &commands).await;
        assert!(out.matches("Permission denied").count() >= 5, "{sandbox}: {out}");
        assert!(!out.contains("locked") && out.contains("shop"), "{sandbox}: {out}");
        assert!(!home.place.home.join("planted").exists());
        assert!(out.trim_end().ends_with('1'), "what is not ours can be read: {out}");
        home.ok("codex_health_summary", json!({})).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_with_network_does_not_reach_the_sockets_of_the_home() {
    let home = home().await;
    configure_codex(&home, "", "[sandbox_workspace_write]\nnetwork_access = true");
    home.start_daemon().unwrap();
    let connect = |path: std::path::PathBuf| {
        format!(
            "python3 -c 'import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print(\"connected\")' {} 2>&1 | tail -1",
            quoted(&path)
        )
    };
    let commands = [connect(home.place.daemon_socket()), connect(home.place.app_server_socket())];
    let out = printed(&home, json!("workspace-write"), &home.project, &commands).await;
    assert!(!out.contains("connected") && out.matches("Permission denied").count() == 2, "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_user_s_own_settings_of_the_sandbox_hold_in_our_turns() {
    let home = home().await;
    let more = home.path().join("more");
    std::fs::create_dir(&more).unwrap();
    let own = format!("[sandbox_workspace_write]\nexclude_slash_tmp = true\nexclude_tmpdir_env_var = true\nwritable_roots = [{more:?}]");
    configure_codex(&home, "", &own);
    home.start_daemon().unwrap();
    // The tests' own folders may lie in /tmp: then it is a file beside them that is refused.
    let beside = std::env::temp_dir().join(format!("cxcp-beside-{}", std::process::id()));
    let write = |path: &std::path::Path| format!("echo x > {} && echo wrote {}", quoted(path), path.file_name().unwrap().to_str().unwrap());
    let commands = [write(&home.project.join("in-project")), write(&more.join("in-root")), write(&beside)];
    for sandbox in [json!("workspace-write"), json!("respect_existing")] {
        let out = printed(&home, sandbox.clone(), &home.project, &commands).await;
        assert!(out.contains("wrote in-project") && out.contains("wrote in-root"), "{sandbox}: {out}");
        assert!(!out.contains("wrote cxcp-beside") && !beside.exists(), "{sandbox}: {out}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_user_s_own_profile_denies_is_denied_in_every_sandbox() {
    let home = home().await;
    let private = home.path().canonicalize().unwrap().join("private");
    std::fs::create_dir(&private).unwrap();
    std::fs::write(private.join("x"), "PRIVATE").unwrap();
    std::fs::write(home.project.join("a.env"), "INSIDE").unwrap();
    let own = format!(
        "[permissions.base.filesystem]\n\":root\" = \"read\"\n{private:?} = \"deny\"\n\n[permissions.mine]\nextends = \"base\"\n\n\
         [permissions.mine.filesystem]\nglob_scan_max_depth = 3\n\n\
         [permissions.mine.filesystem.\":workspace_roots\"]\n\".\" = \"write\"\n\"*.env\" = \"deny\""
    );
    configure_codex(&home, "default_permissions = \"mine\"", &own);
    home.start_daemon().unwrap();
    let read = format!("cat {}/x; cat a.env; echo looked", quoted(&private));
    for sandbox in [json!("read-only"), json!("workspace-write"), json!("respect_existing")] {
        let out = printed(&home, sandbox.clone(), &home.project, std::slice::from_ref(&read)).await;
        assert!(out.contains("looked") && !out.contains("PRIVATE") && !out.contains("INSIDE"), "{sandbox}: {out}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_of_the_model_do_not_see_the_user_s_keys_unless_a_setting_says_so() {
    for (setting, seen) in [("", false), ("\n[app_server]\nkeys_in_commands = true\n", true)] {
        let mut home = home().await;
        home.set("OPENAI_API_KEY", "not-a-real-key");
        home.set("SSH_AUTH_SOCK", "/nowhere/agent");
        let config = std::fs::read_to_string(&home.place.config_file).unwrap();
        std::fs::write(&home.place.config_file, config + setting).unwrap();
        home.start_daemon().unwrap();
        let out = printed(
            &home,
            json!("read-only"),
            &home.project,
            &["echo keys: $(env | grep -c -e OPENAI_API_KEY -e SSH_AUTH_SOCK)".to_owned()],
        )
        .await;
        assert_eq!(out.contains("keys: 2"), seen, "{out}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_that_contains_the_home_is_refused_and_one_that_is_configured_hides_it() {
    let home = home().await;
    let root = home.path().canonicalize().unwrap();
    std::fs::write(&home.place.config_file, format!("allowed_roots = [{root:?}]\n")).unwrap();
    home.start_daemon().unwrap();
    let health = home.ok("codex_health_summary", json!({})).await.unwrap();
    let check: &Value = health["checks"].as_array().unwrap().iter().find(|one| one["name"] == "own_folder").unwrap();
    assert_eq!(check["status"], "warning", "{health}");
    let own = quoted(&home.place.home);
    let out =
        printed(&home, json!("workspace-write"), &root, &[format!("cat {own}/config.toml | wc -l; echo '#planted' >> {own}/config.toml")])
            .await;
    assert!(out.contains("Permission denied"), "{out}");
    assert!(!std::fs::read_to_string(&home.place.config_file).unwrap().contains("planted"));
    let inside = json!({"operation_type": "start_chat", "project_id": home.place.home, "message": "SAY x"});
    let refused = home.call("codex_submit_task", inside).await.unwrap();
    assert!(refused["error"]["message"].as_str().unwrap().contains("own folder"), "{refused}");
    for dir in [root.to_str().unwrap(), "/"] {
        let body = json!({"path": dir}).to_string().into_bytes();
        let reply = home.connection().await.unwrap().send("POST", "/v1/admin/allow", body, super::MAX).await.unwrap();
        assert!(String::from_utf8_lossy(&reply.body).contains("one by one"), "{dir}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_empty_folders_of_the_sandbox_are_left_in_a_project() {
    let home = home().await;
    home.start_daemon().unwrap();
    for _ in 0..4 {
        printed(&home, json!("workspace-write"), &home.project, &["true".to_owned()]).await;
    }
    let left: Vec<_> = std::fs::read_dir(&home.project).unwrap().map(|one| one.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}
