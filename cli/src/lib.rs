//! The host side of agentbox.
