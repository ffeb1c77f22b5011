package weir;

import java.util.OptionalLong;

/**
 * On which terms a change is made.
 *
 * @param expectedRevision the revision upon which the change is made; ABORTED when another one came first
 * @param validateOnly tells what the change would do, and does nothing
 * @param comment for the history
 */
public record Terms(OptionalLong expectedRevision, boolean validateOnly, String comment) {
  /** A change that is made, whatever came before it. */
  public static final Terms NONE = new Terms(OptionalLong.empty(), false, "");

  public static Terms comment(String text) {
    return new Terms(OptionalLong.empty(), false, text);
  }

  public static Terms onlyValidate() {
    return new Terms(OptionalLong.empty(), true, "");
  }

  public static Terms expecting(long revision) {
    return new Terms(OptionalLong.of(revision), false, "");
  }
}
