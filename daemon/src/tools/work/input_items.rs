//! Pictures beside the words of a prompt, checked when they are handed in (BEHAVIOUR 7.9): whole in a data: url,
//! or a file that this installation may show to codex. Reads no file.

use crate::{
    projects::Denied,
    store::tables::operations::Image,
    tools::{Cx, ToolError},
};
use serde::Deserialize;
use std::path::Path;

const ENDINGS: [&str; 5] = ["gif", "jpeg", "jpg", "png", "webp"];

#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub(in crate::tools) enum Item {
    Image { url: String, detail: Option<String> },
    LocalImage { path: String, detail: Option<String> },
}

pub(super) fn images(cx: &Cx, items: Vec<Item>, cwd: &Path) -> Result<Vec<Image>, ToolError> {
    if items.len() > cx.config.image_items_max {
        return Err(ToolError::invalid("argument input_items: more images than limits.image_items_max allows")
            .with("maxItems", cx.config.image_items_max));
    }
    items.into_iter().map(|item| image(cx, item, cwd)).collect()
}

fn image(cx: &Cx, item: Item, cwd: &Path) -> Result<Image, ToolError> {
    let no = |sentence: &str| Err(ToolError::invalid(sentence));
    match item {
        Item::Image { url, detail } => {
            let url = url.trim().to_owned();
            if url.starts_with("http://") || url.starts_with("https://") {
                return no("argument input_items: codex fetches no images; save it in the project and name the file as localImage");
            }
            if !url.starts_with("data:image/") {
                return no("argument input_items: the url of an image begins with data:image/; name a file as localImage");
            }
            if url.len() as u64 > cx.config.image_bytes_max {
                return no("argument input_items: the image is larger than limits.image_bytes_max allows");
            }
            Ok(Image::Image { url, detail })
        }
        Item::LocalImage { path, detail } => {
            let path = cx.policy.allowed_file(&cwd.join(path.trim())).map_err(|denied| match denied {
                Denied::NotThere(_) => ToolError::invalid("argument input_items: there is no such image file; name one inside the project"),
                other => other.into(),
            })?;
            let ending = path.extension().and_then(|ending| ending.to_str()).map(str::to_lowercase).unwrap_or_default();
            if !ENDINGS.contains(&ending.as_str()) {
                return no("argument input_items: an image file ends in gif, jpeg, jpg, png or webp");
            }
            if std::fs::metadata(&path).is_ok_and(|file| file.len() > cx.config.image_bytes_max) {
                return Err(ToolError::invalid("argument input_items: the image is larger than limits.image_bytes_max allows")
                    .with("path", cx.policy.shown(&path))
                    .with("maxLocalImageBytes", cx.config.image_bytes_max));
            }
            Ok(Image::LocalImage { path, detail })
        }
    }
}

/// The same words with other pictures ask for another thing (BEHAVIOUR 8).
pub(super) fn digest(images: &[Image]) -> String {
    let mut hasher = blake3::Hasher::new();
    for image in images {
        let name = match image {
            Image::Image { url, .. } => url.clone(),
            Image::LocalImage { path, .. } => path.to_string_lossy().into_owned(),
        };
        hasher.update(name.as_bytes());
        hasher.update(b"\0");
    }
    hasher.finalize().to_hex().to_string()
}
