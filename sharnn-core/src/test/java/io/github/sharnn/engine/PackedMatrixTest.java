package io.github.sharnn.engine;

import static org.assertj.core.api.Assertions.assertThat;

import ai.djl.engine.EngineException;
import org.junit.jupiter.api.Test;

class PackedMatrixTest {

  @Test
  void a_failed_trial_always_has_a_reason() {
    String message = "Traceback:\nRuntimeError: no engine\n\n  ";
    assertThat(PackedMatrix.reason(new EngineException(message)))
        .isEqualTo("RuntimeError: no engine");
    assertThat(PackedMatrix.reason(new EngineException(" \n"))).contains("EngineException");
    assertThat(PackedMatrix.reason(new EngineException((String) null))).contains("EngineException");
  }
}
