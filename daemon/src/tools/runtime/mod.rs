//! The machinery: queue and app-server.

pub mod app_server_status;
pub mod queue_status;
