/** Pretrained models, which {@link io.github.sharnn.SHARNN#pretrained} loads. */
@NullMarked
package io.github.sharnn.models;

import org.jspecify.annotations.NullMarked;
