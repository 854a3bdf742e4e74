package io.github.sharnn.score;

import java.io.Serializable;

/**
 * The score of a text that follows other texts.
 *
 * @param totals the totals of this text alone
 * @param after the state for the text that follows this one
 * @serial exclude
 */
public record CarriedScore(Score.Totals totals, ScoringState after) implements Serializable {}
