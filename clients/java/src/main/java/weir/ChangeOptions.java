package weir;

import java.util.OptionalLong;

/**
 * The options of a change.
 *
 * @param expectedRevision the revision that the change is based on; if it is not the current one,
 *     the server rejects the change with ABORTED
 * @param validateOnly whether to return the effect of the change without making it
 * @param comment the reason for the change, for the history
 * @param prune whether {@link WeirClient#apply} deletes what the configuration does not contain; only
 *     for that call
 */
public record ChangeOptions(OptionalLong expectedRevision, boolean validateOnly, String comment, boolean prune) {
  /** An unconditional change. */
  public static final ChangeOptions NONE = new ChangeOptions(OptionalLong.empty(), false, "");

  /** Options that delete nothing. */
  public ChangeOptions(OptionalLong expectedRevision, boolean validateOnly, String comment) {
    this(expectedRevision, validateOnly, comment, false);
  }

  /** These options for an {@link WeirClient#apply} that deletes what the configuration does not contain. */
  public ChangeOptions pruning() {
    return new ChangeOptions(expectedRevision, validateOnly, comment, true);
  }

  public static ChangeOptions comment(String text) {
    return new ChangeOptions(OptionalLong.empty(), false, text);
  }

  public static ChangeOptions onlyValidate() {
    return new ChangeOptions(OptionalLong.empty(), true, "");
  }

  public static ChangeOptions expecting(long revision) {
    return new ChangeOptions(OptionalLong.of(revision), false, "");
  }
}
