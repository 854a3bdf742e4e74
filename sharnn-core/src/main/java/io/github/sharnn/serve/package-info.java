/** A model that many threads use and that can be replaced meanwhile. */
@NullMarked
package io.github.sharnn.serve;

import org.jspecify.annotations.NullMarked;
