//! What a daemon says about itself (wire-protocol §3.10).

use crate::JsonMap;
use serde_json::Value;
use std::collections::BTreeMap;

model! {
    /// A counter shown in [`Info`].
    pub struct Stat [] {
        /// For instance `machines.count`.
        name: String = "name",
        /// Its value.
        count: i64 = "count",
    }
}

model! {
    /// The licence block. This product needs no licence; the fields exist because clients expect them.
    pub struct License [] {
        /// Contact person.
        contact: String = "Contact",
        /// Contact address.
        contact_email: String = "ContactEmail",
        /// Contact id.
        contact_id: String = "ContactId",
        /// Owner.
        owner: String = "Owner",
        /// Owner's address.
        owner_email: String = "OwnerEmail",
        /// Owner's id.
        owner_id: String = "OwnerId",
        /// Who granted it.
        grantor: String = "Grantor",
        /// Grantor's address.
        grantor_email: String = "GrantorEmail",
        /// Version of the licence form.
        version: String = "Version",
        /// Version of the program that made it.
        generation_version: String = "GenerationVersion",
        /// Endpoints it holds for.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        endpoints: Vec<String> = "Endpoints",
        /// Highest server version it holds for.
        max_drp_version: String = "MaxDrpVersion",
        /// The licensed parts.
        licenses: Vec<Value> = "Licenses",
    }
}

model! {
    /// The answer of GET `/info`.
    pub struct Info [] {
        /// Processor architecture in Go's words, for instance `amd64`.
        arch: String = "arch",
        /// Operating system, `linux`.
        os: String = "os",
        /// Version of the daemon with a leading `v`.
        version: String = "version",
        /// Id of this endpoint.
        id: String = "id",
        /// Id of this node.
        local_id: String = "local_id",
        /// Id of the high-availability group.
        ha_id: String = "ha_id",
        /// TCP port of the API.
        api_port: u16 = "api_port",
        /// TCP port of the HTTP file server.
        file_port: u16 = "file_port",
        /// TCP port of the HTTPS file server.
        secure_file_port: u16 = "secure_file_port",
        /// UDP port of DHCP, 0 when not served.
        dhcp_port: u16 = "dhcp_port",
        /// UDP port of BINL, 0 when not served.
        binl_port: u16 = "binl_port",
        /// UDP port of TFTP, 0 when not served.
        tftp_port: u16 = "tftp_port",
        /// TFTP is served.
        tftp_enabled: bool = "tftp_enabled",
        /// DHCP is served.
        dhcp_enabled: bool = "dhcp_enabled",
        /// BINL is served.
        binl_enabled: bool = "binl_enabled",
        /// The HTTP file server is on.
        prov_enabled: bool = "prov_enabled",
        /// The HTTPS file server is on.
        secure_prov_enabled: bool = "secure_prov_enabled",
        /// The local address that the caller reached.
        address: String = "address",
        /// Host name of the server.
        server_hostname: String = "server_hostname",
        /// This endpoint manages others.
        manager: bool = "manager",
        /// Counters.
        stats: Vec<Stat> = "stats",
        /// Feature names clients and plugins test for.
        features: Vec<String> = "features",
        /// Scope to action to an empty object: what claims can name.
        scopes: BTreeMap<String, BTreeMap<String, JsonMap>> = "scopes",
        /// Licence block.
        license: License = "License",
        /// Problems of the endpoint.
        errors: Vec<String> = "errors",
        /// High availability is on.
        ha_enabled: bool = "ha_enabled",
        /// Address that moves between nodes.
        ha_virtual_address: String = "ha_virtual_address",
        /// This node is the active one.
        ha_is_active: bool = "ha_is_active",
        /// `Up` on a single node.
        ha_status: String = "ha_status",
        /// Id of the active node.
        ha_active_id: String = "ha_active_id",
        /// State of the passive nodes.
        ha_passive_state: Vec<Value> = "ha_passive_state",
        /// Consensus state.
        cluster_state: ClusterState = "ClusterState",
    }
}

model! {
    /// Consensus state; a single node has none.
    pub struct ClusterState [] {
        /// The nodes, null on a single node.
        nodes: Value = "Nodes",
    }
}
