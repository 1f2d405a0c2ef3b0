//! The objects of provisioning: machines, params, profiles, stages, tasks, … (wire-protocol §2.4).

use crate::{Base64Bytes, Claim, JsonMap, Time, model::StringMap};
use serde_json::Value;
use std::collections::BTreeMap;

model! {
    /// A task list that was interrupted, and where.
    pub struct TaskErrorStack [] {
        /// Index into the list.
        current_task: i64 = "CurrentTask",
        /// The list.
        task_list: Vec<String> = "TaskList",
    }
}

model! {
    /// What identifies the hardware of a machine across reinstallations.
    pub struct Fingerprint [] {
        /// Hash of the system serial number.
        ssn_hash: Base64Bytes = "SSNHash",
        /// Hash of the chassis serial number.
        csn_hash: Base64Bytes = "CSNHash",
        /// Instance id given by a cloud.
        cloud_instance_id: String = "CloudInstanceID",
        /// DMI system UUID.
        system_uuid: String = "SystemUUID",
        /// Hashes of memory module serial numbers.
        memory_ids: Vec<Base64Bytes> = "MemoryIds",
    }
}

model! {
    /// A machine, physical or virtual.
    pub struct Machine [V A M O B P] at "machines" key uuid "Uuid" {
        /// Unique name, usually the host name.
        name: String = "Name",
        /// One line for people.
        description: String = "Description",
        /// Key, lower-case hyphenated; generated when empty.
        uuid: String = "Uuid",
        /// UUID of the current job, or empty.
        current_job: String = "CurrentJob",
        /// IP address, or empty.
        address: String = "Address",
        /// Name of its stage.
        stage: String = "Stage",
        /// Name of its boot environment.
        boot_env: String = "BootEnv",
        /// Names of its profiles, most important first.
        profiles: Vec<String> = "Profiles",
        /// Its params; secure ones are sealed.
        params: JsonMap = "Params",
        /// Task names and `stage:X`, `bootenv:X`, `action:[plugin:]cmd`, `chroot:X`, `context:X`.
        tasks: Vec<String> = "Tasks",
        /// Index of the current task.
        current_task: i64 = "CurrentTask",
        /// How often the current task was tried again.
        retry_task_attempt: i64 = "RetryTaskAttempt",
        /// Interrupted task lists.
        task_error_stacks: Vec<TaskErrorStack> = "TaskErrorStacks",
        /// The machine may run tasks.
        runnable: bool = "Runnable",
        /// Random text that its tokens depend on.
        secret: String = "Secret",
        /// Operating system it runs, as last reported.
        os: String = "OS",
        /// MAC addresses.
        hardware_addrs: Vec<String> = "HardwareAddrs",
        /// Name of its workflow.
        workflow: String = "Workflow",
        /// Canonical architecture, for instance `amd64`.
        arch: String = "Arch",
        /// Refuse changes other than unlocking.
        locked: bool = "Locked",
        /// Name of the context its tasks run in.
        context: String = "Context",
        /// Hardware identity.
        fingerprint: Fingerprint = "Fingerprint",
        /// Name of its pool.
        pool: String = "Pool",
        /// Somebody allocated it from its pool.
        pool_allocated: bool = "PoolAllocated",
        /// State in its pool, for instance `Free`.
        pool_status: String = "PoolStatus",
        /// All tasks of its workflow ran.
        workflow_complete: bool = "WorkflowComplete",
    }
}

model! {
    /// The definition of a param: its schema and whether its values are sealed.
    pub struct Param [V A M O B] at "params" key name "Name" {
        /// Key, may hold `/`.
        name: String = "Name",
        /// One line for people.
        description: String = "Description",
        /// Longer text.
        documentation: String = "Documentation",
        /// Values are sealed per object.
        secure: bool = "Secure",
        /// JSON Schema, draft 4 or later, or null.
        schema: Value = "Schema",
    }
}

model! {
    /// A named set of params that objects can share.
    pub struct Profile [V A M O B P] at "profiles" key name "Name" {
        /// Key.
        name: String = "Name",
        /// One line for people.
        description: String = "Description",
        /// Longer text.
        documentation: String = "Documentation",
        /// Params; secure ones are sealed.
        params: JsonMap = "Params",
        /// Names of profiles nested in this one.
        profiles: Vec<String> = "Profiles",
    }
}

model! {
    /// A template of a task, stage or boot environment.
    pub struct TemplateInfo [] {
        /// Name, unique in its owner.
        name: String = "Name",
        /// Where the rendered text goes.
        path: String = "Path",
        /// Path of another rendered file that this one is the same as.
        link: String = "Link",
        /// Id of a template object; or `Contents`.
        id: String = "ID",
        /// The text itself; or `ID`.
        contents: String = "Contents",
        /// Annotations, for instance `OS`.
        meta: StringMap = "Meta",
    }
}

model! {
    /// A step that runs on a machine.
    pub struct Task [V A M O B] at "tasks" key name "Name" {
        /// Key.
        name: String = "Name",
        /// One line for people.
        description: String = "Description",
        /// Longer text.
        documentation: String = "Documentation",
        /// What it renders and runs.
        templates: Vec<TemplateInfo> = "Templates",
        /// Params that must resolve.
        required_params: Vec<String> = "RequiredParams",
        /// Params it reads when they resolve.
        optional_params: Vec<String> = "OptionalParams",
        /// Roles its token gets beside the usual claims.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        extra_roles: Vec<String> = "ExtraRoles",
        /// Claims its token gets beside the usual ones.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        extra_claims: Vec<Claim> = "ExtraClaims",
        /// Tasks that must run before it.
        prerequisites: Vec<String> = "Prerequisites",
    }
}

model! {
    /// A stop on the way of a workflow.
    pub struct Stage [V A M O B P] at "stages" key name "Name" {
        /// Key.
        name: String = "Name",
        /// One line for people.
        description: String = "Description",
        /// Longer text.
        documentation: String = "Documentation",
        /// What it renders.
        templates: Vec<TemplateInfo> = "Templates",
        /// Params that must resolve.
        required_params: Vec<String> = "RequiredParams",
        /// Params it reads when they resolve.
        optional_params: Vec<String> = "OptionalParams",
        /// Its params; secure ones are sealed.
        params: JsonMap = "Params",
        /// Name of the boot environment it wants.
        boot_env: String = "BootEnv",
        /// Its tasks in order.
        tasks: Vec<String> = "Tasks",
        /// Its profiles.
        profiles: Vec<String> = "Profiles",
        /// Reboot on entry.
        reboot: bool = "Reboot",
        /// The runner waits here.
        runner_wait: bool = "RunnerWait",
    }
}

model! {
    /// A list of stages.
    pub struct Workflow [V A M O B] at "workflows" key name "Name" {
        /// Key.
        name: String = "Name",
        /// One line for people.
        description: String = "Description",
        /// Longer text.
        documentation: String = "Documentation",
        /// Names of its stages in order.
        stages: Vec<String> = "Stages",
    }
}

model! {
    /// A Go text/template that tasks and boot environments can include.
    pub struct Template [V A M O B] at "templates" key id "ID" {
        /// Key.
        id: String = "ID",
        /// One line for people.
        description: String = "Description",
        /// The text.
        contents: String = "Contents",
    }
}

model! {
    /// How one architecture of an operating system boots.
    pub struct OsArch [] {
        /// File name of the installation image.
        iso_file: String = "IsoFile",
        /// Its SHA-256 in hexadecimal.
        sha256: String = "Sha256",
        /// Where it can be fetched.
        iso_url: String = "IsoUrl",
        /// Path of the kernel.
        kernel: String = "Kernel",
        /// Paths of the initial RAM disks.
        initrds: Vec<String> = "Initrds",
        /// Kernel command line, a template.
        boot_params: String = "BootParams",
        /// Path of the boot loader.
        loader: String = "Loader",
    }
}

model! {
    /// The operating system of a boot environment.
    pub struct OsInfo [] {
        /// Name with version.
        name: String = "Name",
        /// Family, for instance `debian`.
        family: String = "Family",
        /// Code name.
        codename: String = "Codename",
        /// Version.
        version: String = "Version",
        /// File name of the installation image.
        iso_file: String = "IsoFile",
        /// Its SHA-256 in hexadecimal.
        iso_sha256: String = "IsoSha256",
        /// Where it can be fetched.
        iso_url: String = "IsoUrl",
        /// Architecture to its particulars.
        supported_architectures: BTreeMap<String, OsArch> = "SupportedArchitectures",
    }
}

model! {
    /// What a machine boots into.
    pub struct BootEnv [V A M O B] at "bootenvs" key name "Name" {
        /// Key.
        name: String = "Name",
        /// One line for people.
        description: String = "Description",
        /// Longer text.
        documentation: String = "Documentation",
        /// Operating system.
        os: OsInfo = "OS",
        /// What it renders.
        templates: Vec<TemplateInfo> = "Templates",
        /// Path of the kernel.
        kernel: String = "Kernel",
        /// Paths of the initial RAM disks.
        initrds: Vec<String> = "Initrds",
        /// Kernel command line, a template.
        boot_params: String = "BootParams",
        /// Params that must resolve.
        required_params: Vec<String> = "RequiredParams",
        /// Params it reads when they resolve.
        optional_params: Vec<String> = "OptionalParams",
        /// Only for machines that are not known.
        only_unknown: bool = "OnlyUnknown",
        /// Boot loaders by `386-pcbios`, `amd64-uefi`, `arm64-uefi`.
        loaders: StringMap = "Loaders",
    }
}

model! {
    /// One run of a task on a machine.
    pub struct Job [V A M O B] at "jobs" key uuid "Uuid" {
        /// Key.
        uuid: String = "Uuid",
        /// UUID of the job before it on the machine.
        previous: String = "Previous",
        /// UUID of the machine.
        machine: String = "Machine",
        /// Name of the task.
        task: String = "Task",
        /// Name of the stage.
        stage: String = "Stage",
        /// Name of the workflow.
        workflow: String = "Workflow",
        /// Name of the boot environment.
        boot_env: String = "BootEnv",
        /// `created`, `running`, `incomplete`, `failed` or `finished`.
        state: String = "State",
        /// ``, `reboot`, `poweroff`, `stop`, `complete` or `failed`.
        exit_state: String = "ExitState",
        /// When it started.
        start_time: Time = "StartTime",
        /// When it ended.
        end_time: Time = "EndTime",
        /// Its log was purged.
        archived: bool = "Archived",
        /// It is the machine's current job.
        current: bool = "Current",
        /// Index of the task in the machine's list.
        current_index: i64 = "CurrentIndex",
        /// Index of the task after it.
        next_index: i64 = "NextIndex",
        /// Claims its token gets beside the usual ones.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        extra_claims: Vec<Claim> = "ExtraClaims",
        /// Token for the runner.
        #[serde(skip_serializing_if = "String::is_empty")]
        token: String = "Token",
        /// Name of the context it runs in.
        context: String = "Context",
    }
}

model! {
    /// A rendered action of a job.
    pub struct JobAction [] {
        /// Name of the template.
        name: String = "Name",
        /// Where to write it, or empty for a script to run.
        path: String = "Path",
        /// The rendered text.
        content: String = "Content",
        /// Annotations.
        meta: StringMap = "Meta",
    }
}
