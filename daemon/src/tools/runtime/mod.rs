//! The machinery: queue, limits and app-server.

pub mod app_server_status;
pub mod concurrency_status;
pub mod queue_status;
pub mod restart;
pub mod worker_command_status;
pub mod worker_status;
