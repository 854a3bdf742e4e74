package io.github.sharnn.spark;

import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Device;
import ai.djl.Model;
import com.google.common.base.Throwables;
import com.google.common.io.BaseEncoding;
import com.google.common.util.concurrent.ThreadFactoryBuilder;
import io.github.sharnn.SHARNN;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.io.FolderLock;
import io.github.sharnn.spark.TrainingJob.Result;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.checkpoint.RunFolder;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.optim.OuterStep;
import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.spark.BarrierTaskContext;
import org.apache.spark.SparkEnv;
import org.jspecify.annotations.Nullable;
import scala.collection.Iterator;
import scala.jdk.javaapi.CollectionConverters;
import scala.runtime.AbstractFunction1;

/** The work of one worker: a task of a barrier stage, whose partitions are the workers. */
final class WorkerTask extends AbstractFunction1<Iterator<Integer>, Iterator<Result>>
    implements Serializable {

  private static final long serialVersionUID = 1;

  private final TrainingJob job;

  WorkerTask(TrainingJob job) {
    this.job = job;
  }

  /** Trains, and returns the result of worker 0, but none of the others. */
  @Override
  public Iterator<Result> apply(Iterator<Integer> ignored) {
    BarrierTaskContext context = BarrierTaskContext.get();
    int worker = context.partitionId();
    String host = SparkEnv.get().blockManager().blockManagerId().host();
    try (TcpExchange exchange =
        new TcpExchange(worker, host, job.timeout(), context::isInterrupted)) {
      List<Greeting> all = gather(context, host, exchange.port());
      Greeting.check(all);
      List<TcpExchange.Peer> peers =
          all.stream()
              .map(each -> new TcpExchange.Peer(each.name(), each.host(), each.port()))
              .toList();
      exchange.connect(peers, BaseEncoding.base16().decode(all.get(0).token()));
      Result result = train(context, all, exchange);
      return CollectionConverters.asScala(
          (worker == 0 ? List.of(result) : List.<Result>of()).iterator());
    } catch (IOException e) {
      throw new UncheckedIOException(e.getMessage(), e);
    } catch (CancellationException e) {
      context.killTaskIfInterrupted();
      throw e;
    }
  }

  /** Introduces this worker to the others. An error of one of them then ends all of them. */
  private List<Greeting> gather(BarrierTaskContext context, String host, int port) {
    int worker = context.partitionId();
    byte[] token = new byte[Arrivals.TOKEN_BYTES];
    new SecureRandom().nextBytes(token);
    String device = "";
    List<String> checkpoints = List.of();
    String error = "";
    try {
      ExecutorModels.limitThreads();
      Device chosen = Devices.of(ExecutorModels.device(job.device()));
      device = chosen.isGpu() ? "gpu" + chosen.getDeviceId() : "cpu";
      checkpoints =
          within(
              job.timeout(),
              () -> {
                job.checkFolders();
                job.corpus(worker);
                return checkpoints(worker);
              });
    } catch (IOException | RuntimeException e) {
      error = e.getMessage() == null ? e.toString() : e.getMessage();
    }
    Greeting own =
        new Greeting(
            worker,
            SparkEnv.get().executorId(),
            host,
            port,
            device,
            BaseEncoding.base16().encode(token),
            checkpoints,
            error);
    return Arrays.stream(context.allGather(own.toJson()))
        .map(Greeting::fromJson)
        .sorted(Comparator.comparingInt(Greeting::worker))
        .toList();
  }

  /** Looks at the disks, one of which may hang, while the other workers wait without a limit. */
  static <T> T within(Duration limit, Callable<T> look) throws IOException {
    ExecutorService thread =
        Executors.newSingleThreadExecutor(
            new ThreadFactoryBuilder().setNameFormat("sharnn-disks").setDaemon(true).build());
    try {
      return thread.submit(look).get(limit.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException e) {
      throw new IllegalStateException(
          lenientFormat(
              "the corpus, the model's folder or the checkpoints can't be read, since a disk has not answered"
                  + " for %s s: look at the host's mounts, or increase timeoutSeconds",
              limit.toSeconds()),
          e);
    } catch (ExecutionException e) {
      Throwables.throwIfInstanceOf(e.getCause(), IOException.class);
      Throwables.throwIfUnchecked(e.getCause());
      throw new IllegalStateException(e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new CancellationException("the task is interrupted");
    } finally {
      thread.shutdownNow();
    }
  }

  private List<String> checkpoints(int worker) throws IOException {
    if (job.checkpoints().isEmpty() || !Files.isDirectory(job.checkpoints(worker))) {
      return List.of();
    }
    return Checkpoint.list(job.checkpoints(worker)).stream()
        .map(path -> path.getFileName().toString())
        .toList();
  }

  private Result train(BarrierTaskContext context, List<Greeting> all, TcpExchange exchange)
      throws IOException {
    int worker = context.partitionId();
    OuterStep outer = new OuterStep(job.outer(), exchange);
    Corpus corpus = job.corpus(worker);
    try (Model model =
        SHARNN.of(job.config()).newModel("model", Devices.of(all.get(worker).device()))) {
      SHARNNTrainer.Builder trainer =
          job.trainer(model).checkpoints(policy(worker, all)).stopWhen(context::isInterrupted);
      boolean alone = job.outer().workers() == 1 && job.outer().momentum() == 0;
      FitResult result =
          (alone ? trainer : trainer.outerStep(outer)).build().fit(corpus, job.budget());
      if (!result.isComplete()) {
        throw new CancellationException("the task is cancelled");
      }
      if (worker == 0) {
        job.save(model);
      }
      return new Result(
          result.evaluations(),
          result.last().step(),
          result.last().seconds(),
          outer.count(),
          outer.seconds());
    }
  }

  /** Resumes the newest checkpoint that all workers have. */
  private @Nullable CheckpointPolicy policy(int worker, List<Greeting> all) throws IOException {
    if (job.checkpoints().isEmpty()) {
      return null;
    }
    Path folder = job.checkpoints(worker);
    CheckpointPolicy policy =
        CheckpointPolicy.in(folder)
            .everySteps(Math.multiplyExact(job.outer().interval(), job.checkpointRounds()))
            .rollbacks(0); // the other workers would go on
    Optional<String> common = Greeting.commonCheckpoint(all);
    if (common.isPresent()) {
      return policy.resumeFrom(folder.resolve(common.get()));
    }
    List<String> own = all.get(worker).checkpoints();
    if (!own.isEmpty()) { // other workers were killed before they saved one
      FolderLock lock = FolderLock.ofRun(folder);
      try (lock) {
        for (String name : own) {
          RunFolder.setAside(folder.resolve(name));
        }
      }
    }
    return policy;
  }
}
