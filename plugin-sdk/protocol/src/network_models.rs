//! Preferences, pools, contexts and the objects of DHCP, which are kept as data (wire-protocol §2.4).

use serde_json::Value;

model! {
    /// One preference of the daemon. The API shows all of them as one map.
    pub struct Pref [M] at "preferences" key name "Name" {
        /// Key.
        name: String = "Name",
        /// Its value as text.
        val: String = "Val",
    }
}

model! {
    /// A DHCP option.
    pub struct DhcpOption [] {
        /// Option number, 0 to 255.
        code: u8 = "Code",
        /// Its value as text.
        value: String = "Value",
    }
}

model! {
    /// A DHCP lease. Its key is the upper-case hexadecimal form of the IPv4 address.
    pub struct Lease [V A M O B] {
        /// Leased address.
        addr: String = "Addr",
        /// Next boot server.
        next_server: String = "NextServer",
        /// Relay it came through.
        via: String = "Via",
        /// Client identity, in the form its strategy gives.
        token: String = "Token",
        /// Seconds.
        duration: i32 = "Duration",
        /// When it ends.
        expire_time: crate::Time = "ExpireTime",
        /// How the client was identified, for instance `MAC`.
        strategy: String = "Strategy",
        /// State of the lease.
        state: String = "State",
        /// Options sent.
        options: Vec<DhcpOption> = "Options",
        /// Options received.
        provided_options: Vec<DhcpOption> = "ProvidedOptions",
        /// Send no boot options.
        skip_boot: bool = "SkipBoot",
    }
}

model! {
    /// A DHCP reservation. Its key is the upper-case hexadecimal form of the IPv4 address.
    pub struct Reservation [V A M O B] {
        /// Reserved address.
        addr: String = "Addr",
        /// One line for people.
        description: String = "Description",
        /// Longer text.
        documentation: String = "Documentation",
        /// Client identity.
        token: String = "Token",
        /// Name of its subnet.
        subnet: String = "Subnet",
        /// Next boot server.
        next_server: String = "NextServer",
        /// Options to send.
        options: Vec<DhcpOption> = "Options",
        /// How the client is identified.
        strategy: String = "Strategy",
        /// Holds in its subnet only.
        scoped: bool = "Scoped",
        /// Seconds.
        duration: i32 = "Duration",
    }
}

model! {
    /// A DHCP subnet.
    pub struct Subnet [V A M O B] at "subnets" key name "Name" {
        /// Key.
        name: String = "Name",
        /// One line for people.
        description: String = "Description",
        /// Longer text.
        documentation: String = "Documentation",
        /// Answer clients in it.
        enabled: bool = "Enabled",
        /// Answer as proxy only.
        proxy: bool = "Proxy",
        /// Somebody else manages it.
        unmanaged: bool = "Unmanaged",
        /// Network in CIDR form.
        subnet: String = "Subnet",
        /// Next boot server.
        next_server: String = "NextServer",
        /// First address to lease.
        active_start: String = "ActiveStart",
        /// Last address to lease.
        active_end: String = "ActiveEnd",
        /// Seconds a lease holds.
        active_lease_time: i32 = "ActiveLeaseTime",
        /// Seconds a reservation holds.
        reserved_lease_time: i32 = "ReservedLeaseTime",
        /// Lease to reservations only.
        only_reservations: bool = "OnlyReservations",
        /// Options to send.
        options: Vec<DhcpOption> = "Options",
        /// How clients are identified.
        strategy: String = "Strategy",
        /// How addresses are chosen.
        pickers: Vec<String> = "Pickers",
    }
}

model! {
    /// A network interface of the daemon's host.
    pub struct Interface [A M] at "interfaces" key name "Name" {
        /// Key.
        name: String = "Name",
        /// Kernel index.
        index: i64 = "Index",
        /// Addresses in CIDR form.
        addresses: Vec<String> = "Addresses",
        /// The address that reaches its gateway.
        active_address: String = "ActiveAddress",
        /// Default gateway.
        gateway: String = "Gateway",
        /// Name servers.
        dns_servers: Vec<String> = "DnsServers",
        /// Search domain.
        dns_domain: String = "DnsDomain",
    }
}

model! {
    /// Where tasks can run besides on the machine itself.
    pub struct Context [V A M O B] at "contexts" key name "Name" {
        /// Key.
        name: String = "Name",
        /// Image to run.
        image: String = "Image",
        /// Name of the plugin that runs it.
        engine: String = "Engine",
        /// One line for people.
        description: String = "Description",
        /// Longer text.
        documentation: String = "Documentation",
    }
}

model! {
    /// A pool that machines can be allocated from.
    pub struct Pool [V A M O B] at "pools" key id "Id" {
        /// Key.
        id: String = "Id",
        /// One line for people.
        #[serde(skip_serializing_if = "String::is_empty")]
        description: String = "Description",
        /// Longer text.
        #[serde(skip_serializing_if = "String::is_empty")]
        documentation: String = "Documentation",
        /// Pool that machines come from.
        #[serde(skip_serializing_if = "String::is_empty")]
        parent_pool: String = "ParentPool",
        /// What happens to a machine that enters.
        #[serde(skip_serializing_if = "Value::is_null")]
        enter_actions: Value = "EnterActions",
        /// What happens to a machine that leaves.
        #[serde(skip_serializing_if = "Value::is_null")]
        exit_actions: Value = "ExitActions",
        /// What happens to a machine that is allocated.
        #[serde(skip_serializing_if = "Value::is_null")]
        allocate_actions: Value = "AllocateActions",
        /// What happens to a machine that is released.
        #[serde(skip_serializing_if = "Value::is_null")]
        release_actions: Value = "ReleaseActions",
        /// How the pool fills itself.
        #[serde(skip_serializing_if = "Value::is_null")]
        auto_fill: Value = "AutoFill",
    }
}
