//! drp-plugin-sdk
