//! What can come beside the words of a prompt, and where a prompt goes that was worked on before.

use super::home;
use serde_json::{Value, json};
use std::time::Duration;
use tests::{client::id_of, home::Home};

const MAX: Duration = Duration::from_secs(120);

/// A picture of one pixel.
const PNG: &[u8] = &[
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f,
    0x15, 0xc4, 0x89, 0, 0, 0, 0x0d, 0x49, 0x44, 0x41, 0x54, 0x78, 0x9c, 0x63, 0xf8, 0xcf, 0xc0, 0xf0, 0x1f, 0, 5, 0, 1, 0xff, 0x89, 0x99,
    0x3d, 0x1d, 0, 0, 0, 0, 0x49, 0x45, 0x4e, 0x44, 0xae, 0x42, 0x60, 0x82,
];

async fn run(home: &Home, arguments: Value) -> Value {
    let id = id_of(&home.ok("codex_submit_task", arguments).await.unwrap());
    home.ended(std::slice::from_ref(&id), MAX).await.unwrap();
    home.status(&id).await.unwrap()
}

fn chat(home: &Home, message: &str) -> Value {
    json!({"operation_type": "start_chat", "project_id": home.project, "message": message})
}

fn with_images(home: &Home, message: &str, images: Value) -> Value {
    let mut arguments = chat(home, message);
    arguments["input_items"] = images;
    arguments
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_goes_to_the_model_with_the_words() {
    let home = home().await;
    home.start_daemon().unwrap();
    std::fs::write(home.project.join("dot.png"), PNG).unwrap();
    let images = json!([{"type": "localImage", "path": "dot.png", "detail": "low"}]);
    let done = run(&home, with_images(&home, "SAY a dot", images)).await;
    assert_eq!((&done["status"], &done["finalReport"]["text"]), (&json!("completed"), &json!("a dot")), "{done}");
    let state = &done["inputItemState"];
    assert_eq!((&state["count"], &state["localImageCount"], &state["items"][0]["type"]), (&json!(1), &json!(1), &json!("localImage")));
    assert_eq!(home.provider.images(), 1, "the model was given the picture");
    // FAULTS B13: what codex takes is taken.
    let url = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==";
    let done =
        run(&home, with_images(&home, "SAY a dot again", json!([{"type": "image", "url": url}, {"type": "image", "url": url}]))).await;
    assert_eq!((&done["status"], home.provider.images()), (&json!("completed"), 2), "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_cannot_be_is_refused_with_what_to_do() {
    let home = home().await;
    home.start_daemon().unwrap();
    std::fs::write(home.project.join("words.txt"), "no picture").unwrap();
    std::fs::write(home.folder.path().join("outside.png"), PNG).unwrap();
    let outside = home.folder.path().join("outside.png");
    for (images, word) in [
        (json!([{"type": "localImage", "path": "words.txt"}]), "ends in gif"),
        (json!([{"type": "localImage", "path": "none.png"}]), "no such image"),
        (json!([{"type": "localImage", "path": outside}]), "allow"),
        (json!([{"type": "image", "url": "file:///etc/passwd"}]), "begins with data:image/"),
        (json!([{"type": "image", "url": "https://example.com/a.png"}]), "codex fetches no images"),
        (json!([{"type": "picture", "url": "x"}]), "input_items"),
    ] {
        let answer = home.call("codex_submit_task", with_images(&home, "SAY x", images)).await.unwrap();
        assert!(answer["error"]["message"].as_str().unwrap().contains(word), "{word}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_chat_goes_on_from_the_same_finished_work_where_that_is_allowed() {
    let home = home().await;
    home.start_daemon().unwrap();
    let first = run(&home, chat(&home, "SAY the same")).await;
    let mut again = chat(&home, "say  THE same");
    (again["allow_historical_continuation"], again["thread_mode"]) = (json!(true), json!("auto"));
    let more = run(&home, again.clone()).await;
    assert_eq!(more["threadId"], first["threadId"], "{more}");
    assert_eq!(
        (&more["operationType"], &more["dedupState"]["state"]),
        (&json!("send_message"), &json!("duplicate_continuation")),
        "{more}"
    );
    assert_eq!((&more["existingOperationId"], &more["deduplicated"]), (&first["operationId"], &json!(true)), "{more}");
    assert_eq!(more["originalOperationType"], "start_chat", "{more}");
    // Not into the archive, and not unless it is asked for.
    home.ok("codex_archive_thread", json!({"thread_id": first["threadId"]})).await.unwrap();
    for arguments in [again, chat(&home, "SAY the same")] {
        let fresh = run(&home, arguments).await;
        assert!(fresh["status"] == "completed" && fresh["threadId"] != first["threadId"], "{fresh}");
        assert_eq!(fresh["dedupState"]["state"], "new");
    }
}
