/** Factories through which DJL's {@code Criteria} and DJL Serving load a saved model. */
@NullMarked
package io.github.sharnn.zoo;

import org.jspecify.annotations.NullMarked;
