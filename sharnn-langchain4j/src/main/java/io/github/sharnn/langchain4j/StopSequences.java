package io.github.sharnn.langchain4j;

import java.util.List;

/**
 * A filter that passes on a text up to the first stop sequence, which it leaves out. It holds back
 * characters that may turn out to be the beginning of a stop sequence.
 */
final class StopSequences {

  private final List<String> sequences;
  private final StringBuilder held = new StringBuilder();
  private boolean found;

  StopSequences(List<String> sequences) {
    this.sequences = sequences;
  }

  /** Takes the next piece of the text, and returns the characters to pass on, possibly none. */
  String accept(String piece) {
    held.append(piece);
    int begin = held.length();
    int end = Integer.MAX_VALUE;
    for (String sequence : sequences) { // the first to be complete, however the text is cut
      int at = held.indexOf(sequence);
      int after = at + sequence.length();
      if (at >= 0 && (after < end || after == end && at < begin)) {
        begin = at;
        end = after;
        found = true;
      }
    }
    return take(found ? begin : held.length() - longestBeginning());
  }

  /** Returns the characters held back, at the end of a text without a stop sequence. */
  String rest() {
    return found ? "" : take(held.length());
  }

  /** Returns true once the text has had a stop sequence. */
  boolean found() {
    return found;
  }

  private String take(int length) {
    String text = held.substring(0, length);
    held.delete(0, length);
    return text;
  }

  /** Returns the length of the longest end of the text that a stop sequence begins with. */
  private int longestBeginning() {
    for (int from = 0; from < held.length(); from++) {
      String end = held.substring(from);
      if (sequences.stream().anyMatch(sequence -> sequence.startsWith(end))) {
        return end.length();
      }
    }
    return 0;
  }
}
