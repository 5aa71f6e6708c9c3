/** Of a process that SIGKILL has ended: the kernel's for want of memory, the engine's, or somebody's on the host. */
export const killedCode = 137;

/**
 * The engine hears of an OOM kill and of the end that it led to in different ways: now and then of the end first. So long,
 * and so often, whoever saw an end that nothing explains looks for the kill.
 */
export const lateOom = { deadlineMs: 1_000, intervalMs: 20 };
