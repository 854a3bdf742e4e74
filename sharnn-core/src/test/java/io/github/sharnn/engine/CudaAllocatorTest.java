package io.github.sharnn.engine;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@EnabledOnOs(OS.LINUX)
class CudaAllocatorTest {

  private static final NativeLibrary C = NativeLibrary.getInstance("c");

  private static String option() {
    Pointer value = C.getFunction("getenv").invokePointer(new Object[] {CudaAllocator.OPTIONS});
    return value == null ? null : value.getString(0);
  }

  private static void clear() {
    C.getFunction("unsetenv").invokeInt(new Object[] {CudaAllocator.OPTIONS});
  }

  @Test
  void native_code_sees_the_option() {
    clear();
    CudaAllocator.growBlocks(Map.of());
    assertThat(option()).isEqualTo("expandable_segments:True");
    clear();
  }

  @ParameterizedTest
  @ValueSource(strings = {"PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF"})
  void options_of_the_user_stay(String name) {
    clear();
    CudaAllocator.growBlocks(Map.of(name, "max_split_size_mb:512"));
    assertThat(option()).isNull();
  }
}
