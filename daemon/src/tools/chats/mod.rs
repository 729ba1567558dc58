//! What there is to work on, and chats as callers of older versions start them.

pub(in crate::tools) mod direct;
pub mod projects;
pub mod send_message;
pub mod start_chat;
