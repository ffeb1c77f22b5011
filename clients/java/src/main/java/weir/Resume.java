package weir;

/** How a rollout continues after another actor's change of the weights. */
public enum Resume {
  /** The weights did not change. */
  UNCHANGED,
  /** From the present weights. */
  ADOPT,
  /** With the weights of its step. */
  RESTORE
}
