package io.github.sharnn.spark;

import static com.google.common.base.Strings.lenientFormat;

import com.google.common.base.Throwables;
import io.github.sharnn.spark.TrainingJob.Result;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;
import org.apache.spark.ExceptionFailure;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.rdd.RDD;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerJobStart;
import org.apache.spark.scheduler.SparkListenerTaskEnd;
import org.jspecify.annotations.Nullable;
import scala.jdk.javaapi.CollectionConverters;
import scala.reflect.ClassTag;
import scala.reflect.ClassTag$;

/**
 * The driver's side of a training: a barrier stage with a task for each worker. Spark retries the
 * stage if an executor is lost. Any other failure of a worker would only come again, so it cancels
 * the job.
 */
final class TrainingDriver extends SparkListener {

  private static final String TAGS = "spark.job.tags";

  private final SparkContext context;
  private final TrainingJob job;
  private final String tag = "sharnn-" + UUID.randomUUID();
  private final Set<Integer> stages = ConcurrentHashMap.newKeySet();
  private final AtomicReference<@Nullable ExceptionFailure> failure = new AtomicReference<>();

  TrainingDriver(SparkContext context, TrainingJob job) {
    this.context = context;
    this.job = job;
  }

  /** Trains, and returns the result of worker 0. */
  Result run() throws IOException {
    context.addSparkListener(this);
    context.addJobTag(tag);
    try {
      job.markFolders();
      return train();
    } finally {
      context.removeJobTag(tag);
      context.removeSparkListener(this);
      job.unmarkFolders();
    }
  }

  private Result train() {
    try {
      int workers = job.outer().workers();
      ClassTag<Result> type = ClassTag$.MODULE$.apply(Result.class);
      RDD<Integer> numbers =
          JavaSparkContext.fromSparkContext(context)
              .parallelize(IntStream.range(0, workers).boxed().toList(), workers)
              .rdd();
      RDD<Result> results = numbers.barrier().mapPartitions(new WorkerTask(job), false, type);
      // Spark retries a barrier stage only if another stage follows
      List<Result> all = new JavaRDD<>(results, type).repartition(1).collect();
      return all.get(0);
    } catch (Exception e) { // Scala does not declare Spark's exceptions
      throw explained(e);
    }
  }

  private RuntimeException explained(Exception e) {
    ExceptionFailure worker = failure.get();
    if (worker == null) {
      Throwables.throwIfUnchecked(e);
      return new IllegalStateException(e.getMessage(), e);
    }
    return worker.className().equals(IllegalArgumentException.class.getName())
        ? new IllegalArgumentException(worker.description(), e)
        : new IllegalStateException(
            lenientFormat("training has failed: %s", worker.description()), e);
  }

  @Override
  public void onJobStart(SparkListenerJobStart start) {
    if (start.properties().getProperty(TAGS, "").contains(tag)) {
      CollectionConverters.asJava(start.stageIds()).forEach(id -> stages.add((Integer) id));
    }
  }

  @Override
  public void onTaskEnd(SparkListenerTaskEnd end) {
    if (stages.contains(end.stageId())
        && end.reason() instanceof ExceptionFailure thrown
        && !thrown.className().equals(TcpExchange.LostException.class.getName())
        && failure.compareAndSet(null, thrown)) {
      context.cancelJobsWithTag(tag, thrown.description());
    }
  }
}
