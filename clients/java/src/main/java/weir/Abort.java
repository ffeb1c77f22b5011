package weir;

/** How an aborted rollout leaves the weights. */
public enum Abort {
  /** Back to the weights before the rollout, by the ramp of the plan. */
  RAMPED,
  /** Back to the weights before the rollout, at once. */
  IMMEDIATE,
  /** The present weights. */
  KEEP_WEIGHTS
}
