package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;

/**
 * A standalone cluster of Spark on the loopback address: a master and workers, each a process of
 * its own, started from the artifacts on the test class path. Each worker has one core.
 */
final class LocalCluster implements AutoCloseable {

  /** Everything that Spark lacks, as a user submits it. */
  static final Path SHARNN_JAR = Path.of("target/sharnn-spark.jar").toAbsolutePath();

  private static final String HOST = "127.0.0.1";
  private static final int SECONDS_TO_START = 180;
  private static final List<String> NOT_OF_SPARK =
      List.of("/sharnn", "/ai/djl/", "/org/junit/", "/org/assertj/", "/net/java/dev/jna/");
  private static final List<String> OPENED =
      List.of(
          "java.lang",
          "java.lang.invoke",
          "java.io",
          "java.net",
          "java.nio",
          "java.util",
          "java.util.concurrent",
          "sun.nio.ch",
          "sun.util.calendar");

  private final Path folder;
  private final Path home;
  private final Path jobJar;
  private final String master;
  private final boolean pinned;
  private final int cores = Runtime.getRuntime().availableProcessors();
  private final List<Process> processes = new ArrayList<>();

  /** Starts a cluster that keeps its files in a folder. */
  LocalCluster(Path folder, int workers) throws Exception {
    this(folder, workers, false);
  }

  /**
   * Starts a cluster that keeps its files in a folder.
   *
   * @param pinned true to give each worker and its executors one core of the machine, with {@code
   *     taskset}
   */
  LocalCluster(Path folder, int workers, boolean pinned) throws Exception {
    this.folder = folder;
    this.pinned = pinned;
    home = Files.createDirectories(folder.resolve("spark"));
    linkSpark(Files.createDirectories(home.resolve("jars")));
    jobJar = folder.resolve("job.jar");
    writeJobJar();
    int port;
    try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName(HOST))) {
      port = socket.getLocalPort();
    }
    master = String.format(Locale.ROOT, "spark://%s:%d", HOST, port);
    try {
      start(port, workers);
    } catch (AssertionError | Exception e) {
      close();
      throw e;
    }
  }

  private void start(int port, int workers) throws Exception {
    start(
        "master",
        "org.apache.spark.deploy.master.Master",
        List.of("--host", HOST, "--port", Integer.toString(port), "--webui-port", "0"));
    waitFor("master", "Starting Spark master", 1);
    for (int i = 0; i < workers; i++) {
      String work = folder.resolve("work" + i).toString();
      List<String> options =
          List.of("--host", HOST, "--webui-port", "0", "-c", "1", "-m", "1g", "-d", work, master);
      start(
          "worker" + i, "org.apache.spark.deploy.worker.Worker", options, pinned ? i % cores : -1);
    }
    waitFor("master", "Registering worker", workers);
  }

  private static void linkSpark(Path jars) throws IOException {
    for (String entry : System.getProperty("java.class.path").split(java.io.File.pathSeparator)) {
      String name = entry.replace('\\', '/');
      if (name.endsWith(".jar") && NOT_OF_SPARK.stream().noneMatch(name::contains)) {
        Path jar = Path.of(entry);
        Files.createSymbolicLink(jars.resolve(jar.getFileName()), jar);
      }
    }
  }

  /** Packs the test classes, which hold the driver's programs. */
  private void writeJobJar() throws IOException {
    Path classes = Path.of("target/test-classes");
    try (OutputStream file = Files.newOutputStream(jobJar);
        JarOutputStream jar = new JarOutputStream(file);
        Stream<Path> files = Files.walk(classes)) {
      for (Path each : files.filter(Files::isRegularFile).sorted().toList()) {
        jar.putNextEntry(new JarEntry(classes.relativize(each).toString().replace('\\', '/')));
        Files.copy(each, jar);
        jar.closeEntry();
      }
    }
  }

  /**
   * Submits a program with {@code spark-submit}'s class and waits for it.
   *
   * @param name the name of the log
   * @param main the program
   * @param minutes the longest time that it may take
   * @param options of spark-submit
   * @param arguments of the program
   */
  void submit(String name, Class<?> main, int minutes, List<String> options, List<String> arguments)
      throws Exception {
    List<String> all = new ArrayList<>();
    Collections.addAll(all, "--master", master, "--class", main.getName());
    Collections.addAll(all, "--jars", SHARNN_JAR.toUri().toString());
    Collections.addAll(all, "--conf", "spark.driver.host=" + HOST);
    Collections.addAll(all, "--conf", "spark.executor.cores=1");
    Collections.addAll(all, "--conf", "spark.executor.memory=768m");
    Collections.addAll(all, "--conf", "spark.ui.enabled=false");
    all.addAll(options);
    all.add(jobJar.toString());
    all.addAll(arguments);
    Process driver = start(name, "org.apache.spark.deploy.SparkSubmit", all);
    assertThat(driver.waitFor(minutes, TimeUnit.MINUTES))
        .as(() -> name + "\n" + log(name))
        .isTrue();
    assertThat(driver.exitValue()).as(() -> name + "\n" + log(name)).isZero();
  }

  private Process start(String name, String main, List<String> arguments) throws IOException {
    return start(name, main, arguments, -1);
  }

  private Process start(String name, String main, List<String> arguments, int core)
      throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    OPENED.forEach(each -> command.add("--add-opens=java.base/" + each + "=ALL-UNNAMED"));
    Collections.addAll(command, "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1");
    Collections.addAll(command, "-cp", home.resolve("jars") + "/*", main);
    command.addAll(arguments);
    if (core >= 0) {
      command.addAll(0, List.of("taskset", "-c", Integer.toString(core)));
    }
    ProcessBuilder builder = new ProcessBuilder(command);
    Map<String, String> environment = builder.environment();
    environment.put("SPARK_HOME", home.toString());
    environment.put("SPARK_SCALA_VERSION", "2.13");
    environment.put("SPARK_LOCAL_IP", HOST);
    environment.put("SPARK_LOCAL_DIRS", folder.resolve("local").toString());
    Process process =
        builder
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve(name + ".log").toFile())
            .start();
    processes.add(process);
    return process;
  }

  /** Reads a process's output. */
  String log(String name) {
    try {
      return Files.readString(folder.resolve(name + ".log"));
    } catch (IOException e) {
      return e.toString();
    }
  }

  private void waitFor(String name, String text, int times) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS_TO_START);
    while (log(name).split(text, -1).length <= times) {
      assertThat(System.nanoTime()).as(() -> name + "\n" + log(name)).isLessThan(end);
      Thread.sleep(50);
    }
  }

  @Override
  public void close() throws IOException {
    for (int i = processes.size() - 1; i >= 0; i--) {
      end(processes.get(i));
    }
    try (Stream<Path> links = Files.list(home.resolve("jars"))) {
      for (Path link : links.toList()) {
        Files.delete(link);
      }
    }
  }

  private static void end(Process process) {
    process.destroy(); // a worker then ends its executors
    try {
      if (process.waitFor(10, TimeUnit.SECONDS)) {
        return;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    process.destroyForcibly();
  }
}
