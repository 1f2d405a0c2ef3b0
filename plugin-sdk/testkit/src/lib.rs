//! drp-plugin-testkit
