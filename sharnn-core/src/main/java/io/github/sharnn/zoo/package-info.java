/** Factories through which DJL's {@code Criteria} and DJL Serving load a saved model. */
package io.github.sharnn.zoo;
