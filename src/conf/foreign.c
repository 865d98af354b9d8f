/* SPDX-License-Identifier: MIT */

/*
 * What systemd knows and brood does not: what it means that a directive is there and is not
 * enforced, so that nobody believes in a protection that they do not have. Those that say nothing
 * about how a process is run are passed over in silence.
 */

#include <string.h>

#include "conf/internal.h"

#define SEES        "the process sees the whole file system as brood does"
#define WRITES      "the process may write wherever its user may"
#define SYSTEM_CALL "the process may make any system call"
#define KERNEL      "the process may change the kernel's settings where its user may"
#define NETWORK     "the process may use the whole network"
#define PRIVATE     "the process shares this with the rest of the system"
#define RESOURCES   "there is no such limit"
#define SCHEDULING  "the process is scheduled as brood is"
#define LABELS      "the process runs with the label that brood has"
#define SECRETS     "the process gets no credentials"
#define TERMINAL    "terminals are not opened or reset"
#define LOGGING     "lines are neither filtered nor given fields"
#define ORDER       "brood starts all pools at once and does not look at other units"
#define CONDITION   "brood does not look at it, and starts the pool in any case"
#define RIGHTS      "the process keeps these rights"

static const struct {
    struct foreign foreign;
    const char *names; /* separated by blanks */
} table[] = {
    {{true, NULL},
        " Documentation SourcePath WantedBy RequiredBy UpheldBy Alias Also DefaultInstance "
        "DefaultDependencies Before After Wants Requires RequiresMountsFor WantsMountsFor "
        "CollectMode RefuseManualStart RefuseManualStop AllowIsolate IgnoreOnIsolate PIDFile "
        "GuessMainPID RemainAfterExit CPUAccounting MemoryAccounting IOAccounting "
        "TasksAccounting BlockIOAccounting IPAccounting OnFailureJobMode OnSuccessJobMode "
        "SurviveFinalKillSignal JobTimeoutSec JobRunningTimeoutSec ExitType SyslogLevelPrefix "
        "RootDirectoryStartOnly PermissionsStartOnly MountAPIVFS SetLoginEnvironment "
        "SurviveFinalKillSignal StandardInputText StandardInputData RebootArgument "
        "JobTimeoutAction JobTimeoutRebootArgument "},
    {{false, ORDER},
        " Requisite BindsTo PartOf Upholds Conflicts OnFailure OnSuccess PropagatesReloadTo "
        "ReloadPropagatedFrom PropagatesStopTo StopPropagatedFrom JoinsNamespaceOf "
        "StopWhenUnneeded Sockets "},
    {{false, CONDITION}, " ExecCondition "},
    {{false, "it is never run: a stop is KillSignal=, then SIGKILL after TimeoutStopSec="},
        " ExecStop "},
    {{false, "a stop is KillSignal=, then FinalKillSignal= after TimeoutStopSec="},
        " RestartKillSignal SendSIGHUP TimeoutAbortSec TimeoutStartFailureMode "
        "TimeoutStopFailureMode "},
    {{false, "what happens at the end of a pool is not chosen there"},
        " FailureAction SuccessAction FailureActionExitStatus SuccessActionExitStatus OOMPolicy "},
    {{false, SEES},
        " ProtectSystem ProtectHome ReadOnlyPaths InaccessiblePaths ReadOnlyDirectories "
        "InaccessibleDirectories BindPaths BindReadOnlyPaths TemporaryFileSystem NoExecPaths "
        "ExecPaths PrivateDevices PrivateMounts RootImageOptions RootHash "
        "RootHashSignature RootVerity RootEphemeral MountImages ExtensionImages "
        "ExtensionDirectories MountFlags ProtectProc ProcSubset RestrictFileSystems "
        "MountImagePolicy RootImagePolicy ExtensionImagePolicy PrivatePIDs BPFDelegateCommands "},
    /* These only open what ProtectSystem= would have closed. */
    {{true, NULL}, " ReadWritePaths ReadWriteDirectories "},
    {{false, PRIVATE}, " PrivateTmp PrivateNetwork PrivateUsers PrivateIPC NetworkNamespacePath "
                       "IPCNamespacePath ProtectHostname KeyringMode RemoveIPC "},
    {{false, KERNEL}, " ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectClock "
                      "ProtectControlGroups "},
    {{false, SYSTEM_CALL},
        " SystemCallFilter SystemCallArchitectures SystemCallErrorNumber SystemCallLog "
        "RestrictNamespaces RestrictRealtime RestrictSUIDSGID MemoryDenyWriteExecute "
        "LockPersonality Personality "},
    {{false, NETWORK},
        " RestrictAddressFamilies IPAddressAllow IPAddressDeny IPIngressFilterPath "
        "IPEgressFilterPath SocketBindAllow SocketBindDeny RestrictNetworkInterfaces BPFProgram "
        "NFTSet "},
    {{false, "the process may use any device that its user may"}, " DeviceAllow DevicePolicy "},
    {{false, RIGHTS}, " SecureBits PAMName "},
    {{false, "the user is not made"}, " DynamicUser "},
    {{false, LABELS}, " SELinuxContext AppArmorProfile SmackProcessLabel SELinuxContextFromNet "},
    {{false, SECRETS},
        " LoadCredential LoadCredentialEncrypted SetCredential SetCredentialEncrypted "
        "ImportCredential "},
    {{false, RESOURCES},
        " MemoryZSwapMax MemoryZSwapWriteback MemoryLimit "
        "MemoryPressureWatch MemoryPressureThresholdSec StartupMemoryMax StartupMemoryHigh "
        "StartupMemoryLow DefaultMemoryLow DefaultMemoryMin StartupMemorySwapMax "
        "StartupCPUWeight StartupIOWeight CPUQuotaPeriodSec IODeviceWeight IOReadBandwidthMax "
        "IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax IODeviceLatencyTargetSec AllowedCPUs "
        "StartupAllowedCPUs AllowedMemoryNodes StartupAllowedMemoryNodes ManagedOOMSwap "
        "ManagedOOMMemoryPressure ManagedOOMMemoryPressureLimit ManagedOOMPreference "
        "DisableControllers DelegateSubgroup CPUShares StartupCPUShares BlockIOWeight "
        "StartupBlockIOWeight BlockIODeviceWeight BlockIOReadBandwidth BlockIOWriteBandwidth "},
    {{false, SCHEDULING},
        " CPUSchedulingPolicy CPUSchedulingPriority CPUSchedulingResetOnFork "
        "IOSchedulingClass IOSchedulingPriority NUMAPolicy NUMAMask TimerSlackNSec "
        "CoredumpFilter IgnoreOOM "},
    {{false, TERMINAL},
        " TTYPath TTYReset TTYVHangup TTYVTDisallocate TTYRows TTYColumns UtmpIdentifier "
        "UtmpMode "},
    {{false, LOGGING}, " LogLevelMax LogExtraFields LogNamespace LogFilterPatterns "},
    {{false, "no such directory is made"},
        " ConfigurationDirectory ConfigurationDirectoryMode TimeoutCleanSec "},
    {{false, "the directory is removed at the end"}, " RuntimeDirectoryPreserve "},
    {{false, "programs are looked up in PATH"}, " ExecSearchPath "},
    {{false, "the bus is not looked at"}, " BusName "},
    {{false, "no descriptors of this kind are passed"},
        " USBFunctionDescriptors USBFunctionStrings OpenFile NonBlocking "},
    {{false, "restarts are as Restart= and RestartSec= say"}, " RestartMode "},
    {{false, "a reload runs ExecReload="}, " ReloadSignal "},
    {{false, "the process keeps the root directory that brood has"}, " RootImage "},
    {{false, "the socket has its default here"},
        " Accept BindToDevice BindIPv6Only Broadcast DeferAcceptSec DirectoryMode FlushPending "
        "FreeBind IPTOS IPTTL KeepAlive KeepAliveIntervalSec KeepAliveProbes KeepAliveTimeSec "
        "ListenFIFO ListenMessageQueue ListenNetlink ListenSpecial ListenUSBFunction Mark "
        "MaxConnections MaxConnectionsPerSource NoDelay PassCredentials PassPacketInfo "
        "PassSecurity Priority ReceiveBuffer SendBuffer RemoveOnStop Service SocketProtocol "
        "Symlinks TCPCongestion Timestamping Transparent TriggerLimitBurst "
        "TriggerLimitIntervalSec Writable "},
};

static bool has_name(const char *names, const char *key) {
    size_t length = strlen(key);

    for (const char *at = names; (at = strstr(at, key)); at += length)
        if (at[-1] == ' ' && at[length] == ' ')
            return true;
    return false;
}

const struct foreign *foreign_find(const char *key) {
    static const struct foreign condition = {false, CONDITION}, extension = {true, NULL};

    if (strncmp(key, "Condition", 9) == 0 || strncmp(key, "Assert", 6) == 0)
        return &condition;
    if (strncmp(key, "X-", 2) == 0)
        return &extension;
    for (size_t i = 0; i < ELEMENTS(table) && *key != '\0' && !strchr(key, ' '); i++)
        if (has_name(table[i].names, key))
            return &table[i].foreign;
    return NULL;
}
