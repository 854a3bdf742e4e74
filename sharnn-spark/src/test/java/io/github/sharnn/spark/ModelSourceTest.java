package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.FileNotFoundException;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.spark.util.SerializableConfiguration;
import org.junit.jupiter.api.Test;

class ModelSourceTest {

  /** A file system without files, whose messages are those of HDFS. */
  public static final class Remote extends RawLocalFileSystem {

    @Override
    public FSDataInputStream open(Path path, int bufferSize) throws FileNotFoundException {
      throw new FileNotFoundException("File does not exist: " + path + "\n\tat server.INodeFile");
    }
  }

  private static void find(String path) {
    Configuration configuration = new Configuration(false);
    configuration.setClass("fs.file.impl", Remote.class, FileSystem.class);
    configuration.setBoolean("fs.file.impl.disable.cache", true);
    configuration.set("fs.absent.impl", "org.example.AbsentFileSystem");
    ModelSource.find(new SerializableConfiguration(configuration), path);
  }

  @Test
  void a_missing_model_is_reported_in_one_line() {
    assertThatThrownBy(() -> find("file:/models/log"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "model must name the folder of a saved model, but the driver can't read SHA256SUMS in"
                + " file:/models/log (java.io.FileNotFoundException: File does not exist:"
                + " file:/models/log/SHA256SUMS): save a model there, or correct the name");
    assertThatThrownBy(() -> find(""))
        .hasMessage("model must name the folder of a saved model: call setModel with its path");
  }

  @Test
  void a_missing_file_system_is_named() {
    assertThatThrownBy(() -> find("absent://bucket/log"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("can't read SHA256SUMS in absent://bucket/log")
        .hasMessageContaining("org.example.AbsentFileSystem")
        .hasMessageEndingWith("submit the jar of its file system with the job");
  }
}
