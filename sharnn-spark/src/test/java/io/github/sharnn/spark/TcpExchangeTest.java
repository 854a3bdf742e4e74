package io.github.sharnn.spark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Exchanges between threads, over real connections. */
class TcpExchangeTest {

  private static final byte[] TOKEN = new byte[Arrivals.TOKEN_BYTES];
  private static final String HOST = "127.0.0.1";

  private final ExecutorService threads = Executors.newCachedThreadPool();
  private final List<TcpExchange> workers = new ArrayList<>();
  private final AtomicBoolean cancelled = new AtomicBoolean();

  @AfterEach
  void close() {
    workers.forEach(TcpExchange::close);
    threads.shutdownNow();
  }

  private List<TcpExchange.Peer> listen(int count, Duration timeout) throws Exception {
    List<TcpExchange.Peer> peers = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      TcpExchange worker = new TcpExchange(i, HOST, timeout, cancelled::get);
      workers.add(worker);
      peers.add(new TcpExchange.Peer("worker " + i, HOST, worker.port()));
    }
    return peers;
  }

  private void connect(int count, Duration timeout) throws Exception {
    List<TcpExchange.Peer> peers = listen(count, timeout);
    List<Future<?>> futures = new ArrayList<>();
    for (TcpExchange worker : workers) {
      futures.add(
          threads.submit(
              () -> {
                worker.connect(peers, TOKEN);
                return null;
              }));
    }
    for (Future<?> future : futures) {
      future.get();
    }
  }

  private static ByteBuffer message(long seed, int length) {
    byte[] bytes = new byte[length];
    new Random(seed).nextBytes(bytes);
    return ByteBuffer.allocateDirect(length).put(bytes).flip();
  }

  @Test
  void the_longest_timeout_is_accepted() throws Exception {
    connect(2, Duration.ofSeconds(Integer.MAX_VALUE));
  }

  @Test
  void every_worker_gets_all_messages_in_order() throws Exception {
    connect(3, Duration.ofSeconds(30));
    for (int length : new int[] {8, 3_000_000, 3_000_000, 8}) {
      List<ByteBuffer> expected =
          List.of(message(0, length), message(1, length), message(2, length));
      List<Future<List<ByteBuffer>>> futures = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        TcpExchange worker = workers.get(i);
        ByteBuffer own = message(i, length);
        futures.add(threads.submit(() -> worker.exchange(own)));
      }
      for (Future<List<ByteBuffer>> future : futures) {
        assertThat(future.get()).isEqualTo(expected);
      }
    }
  }

  @Test
  void a_single_worker_gets_its_own_message() throws Exception {
    connect(1, Duration.ofSeconds(30));
    assertThat(workers.get(0).exchange(message(1, 10))).containsExactly(message(1, 10));
  }

  @Test
  void a_worker_that_hangs_is_named() throws Exception {
    connect(3, Duration.ofMillis(1000));
    Future<?> other = threads.submit(() -> workers.get(2).exchange(message(2, 100)));
    assertThatThrownBy(() -> workers.get(0).exchange(message(0, 100)))
        .isExactlyInstanceOf(IllegalStateException.class)
        .hasMessage(
            "worker 0 waits for worker 1, which has not sent its part of outer step 0 for 1 s: it hangs,"
                + " or is slower than the others by more than that; look at its log, or increase"
                + " timeoutSeconds");
    assertThatThrownBy(other::get).hasMessageContaining("worker 1, which has not sent");
  }

  @Test
  void a_worker_that_does_not_read_is_named() throws Exception {
    connect(2, Duration.ofMillis(1000));
    Future<?> one = threads.submit(() -> workers.get(0).exchange(message(0, 1 << 26)));
    assertThatThrownBy(one::get).hasMessageContaining("worker 0 waits for worker 1");
  }

  @Test
  void a_lost_worker_is_named() throws Exception {
    connect(2, Duration.ofSeconds(30));
    Future<?> one = threads.submit(() -> workers.get(0).exchange(message(0, 100)));
    workers.get(1).close();
    assertThatThrownBy(one::get)
        .hasCauseInstanceOf(TcpExchange.LostException.class)
        .hasMessageContaining("worker 0 has lost worker 1 in outer step 0");
  }

  @Test
  void a_message_of_another_length_is_rejected_before_it_is_read() throws Exception {
    connect(2, Duration.ofSeconds(30));
    Future<?> one = threads.submit(() -> workers.get(0).exchange(message(0, 100)));
    Future<?> two = threads.submit(() -> workers.get(1).exchange(message(1, 200)));
    assertThatThrownBy(one::get)
        .hasMessageContaining("worker 1 must send 100 bytes in round 1, but sends 200 in round 1");
    workers.get(0).close();
    assertThatThrownBy(two::get).hasMessageContaining("worker 0");
  }

  @Test
  void a_stranger_is_dropped() throws Exception {
    List<TcpExchange.Peer> peers = listen(2, Duration.ofSeconds(30));
    Future<?> one =
        threads.submit(
            () -> {
              workers.get(0).connect(peers, TOKEN);
              return workers.get(0).exchange(message(0, 10));
            });
    try (Socket stranger = new Socket()) {
      stranger.connect(new InetSocketAddress(HOST, peers.get(0).port()));
      stranger.getOutputStream().write(new byte[40]);
      byte[] wrong = TOKEN.clone();
      wrong[31] = 1;
      TcpExchange liar = new TcpExchange(1, HOST, Duration.ofSeconds(30), () -> false);
      liar.connect(peers, wrong);
      workers.get(1).connect(peers, TOKEN);
      assertThat(workers.get(1).exchange(message(1, 10)))
          .containsExactly(message(0, 10), message(1, 10));
      liar.close();
    }
    assertThat(one.get()).isNotNull();
  }

  @Test
  void silent_strangers_delay_no_worker() throws Exception {
    List<TcpExchange.Peer> peers = listen(2, Duration.ofSeconds(30));
    List<Socket> strangers = new ArrayList<>();
    try {
      for (int i = 0; i < 3; i++) {
        strangers.add(new Socket(HOST, peers.get(0).port()));
      }
      strangers.get(0).getOutputStream().write(1);
      Thread.sleep(100);
      long start = System.nanoTime();
      Future<?> one =
          threads.submit(
              () -> {
                workers.get(0).connect(peers, TOKEN);
                return null;
              });
      workers.get(1).connect(peers, TOKEN);
      one.get();
      assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(5));
    } finally {
      for (Socket stranger : strangers) {
        stranger.close();
      }
    }
  }

  @Test
  void a_slow_stranger_and_too_many_of_them_are_dropped() throws Exception {
    List<Socket> strangers = new ArrayList<>();
    try (Arrivals arrivals = new Arrivals(HOST, Duration.ofSeconds(20))) {
      for (int i = 0; i <= Arrivals.MOST; i++) {
        strangers.add(new Socket(HOST, arrivals.port()));
        assertThat(arrivals.next(TOKEN, index -> true, 1000)).isNull();
      }
      assertDropped(strangers.get(0));
      assertThat(strangers.get(1).getInputStream().available()).isZero();
      strangers.get(1).getOutputStream().write(Arrivals.greeting(TOKEN, 1).array());
      Arrivals.Worker worker = arrivals.next(TOKEN, index -> true, 1000);
      assertThat(worker.index()).isEqualTo(1);
      assertThat(worker.channel().isBlocking()).isTrue();
      worker.channel().close();
    } finally {
      for (Socket stranger : strangers) {
        stranger.close();
      }
    }
    try (Arrivals arrivals = new Arrivals(HOST, Duration.ofMillis(50));
        Socket stranger = new Socket(HOST, arrivals.port())) {
      assertThat(arrivals.next(TOKEN, index -> true, 1000)).isNull();
      stranger.getOutputStream().write(1);
      Thread.sleep(60);
      arrivals.next(TOKEN, index -> true, 1);
      assertDropped(stranger);
    }
  }

  private static void assertDropped(Socket stranger) throws IOException {
    stranger.setSoTimeout(2000);
    int end;
    try {
      end = stranger.getInputStream().read();
    } catch (SocketException e) { // reset, because of unread bytes
      end = -1;
    }
    assertThat(end).isEqualTo(-1);
  }

  @Test
  void waiting_ends_when_the_task_is_cancelled() throws Exception {
    connect(2, Duration.ofSeconds(30));
    Future<?> one = threads.submit(() -> workers.get(0).exchange(message(0, 10)));
    cancelled.set(true);
    assertThatThrownBy(one::get).hasCauseInstanceOf(CancellationException.class);
  }

  @Test
  void a_worker_that_never_connects_is_named() throws Exception {
    List<TcpExchange.Peer> peers = listen(2, Duration.ofMillis(300));
    assertThatThrownBy(() -> workers.get(0).connect(peers, TOKEN))
        .hasMessageContaining("worker 0 waits for worker 1, which has not connected for 0 s");
    workers.get(0).close();
    assertThatThrownBy(() -> workers.get(1).connect(peers, TOKEN))
        .isInstanceOf(TcpExchange.LostException.class)
        .hasMessageContaining("worker 1 can't connect to worker 0 at 127.0.0.1:");
  }
}
