// For the unit tests, which are typed: what the made-up incidents are is for them to say.
export function incidents(now?: number): unknown[];
