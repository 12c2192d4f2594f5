//! Claude: the client of the model behind its gate. The only room that sends anything to a model; it knows nothing of
//! running. A request is made of what does not change first (tools, system), so that Claude's cache is hit; an answer is
//! read as a stream and kept verbatim, so that it can be sent back within a round of tools.

mod client;
mod error;
mod gate;
mod message;
mod request;
mod sse;
mod stream;

pub use error::ClaudeError;
pub use gate::{ModelGate, Permit, Refusal};
pub use message::{AssistantMessage, StopReason, StreamEvent, ToolUse, Usage};
pub use request::{CacheTtl, MessageRequest, SystemBlock, Thinking, Tool, ToolResult, tool_results, user_text};
pub use stream::{IDLE_TIMEOUT, MessageStream};
