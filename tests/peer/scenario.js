// What the README of load-process-manager defines, on the npm package: a line of the ledger for each outcome. The same on
// lpm is tests/modules/scenario.c.
//
//     NODE_PATH=FOLDER_WITH_THE_PACKAGE node scenario.js main | timeout | busy | retries
//
// "main" is what both must do alike; in the others the package is known to do otherwise (docs/load-process-manager.md).
'use strict';
const supervisor = require('load-process-manager').supervisor({worker: {file: __dirname + '/worker.js', count: 2}});
const REQUESTS = 1000;
let spawned = 0;

function line() {
    console.log(Array.prototype.join.call(arguments, ' '));
}

function outcome(r) {
    return r instanceof Error ? 'error' : r.data === undefined ? 'nothing' : r.data.n;
}

function enqueue(what, n, options, done) {
    supervisor.enqueue({what: what, n: n}, options, done).then(null, () => undefined);
}

function mixed(done) {
    const kinds = ['echo', 'ack', 'later', 'emit'], ids = new Set();
    let left = REQUESTS;

    for (let i = 0; i < REQUESTS; i++) {
        enqueue(kinds[i % 4], i, {}, function (r) {
            ids.add(r.id);
            line('request', i, kinds[i % 4], outcome(r));
            if (--left === 0) {
                line('ids', ids.size);
                done();
            }
        });
    }
}

function broadcast(done) {
    let noted = 0;

    supervisor.on('noted', function (req) {
        if (++noted === 2) {
            line('broadcast', req.data.n, 'noted by', noted);
            done();
        }
    });
    supervisor.broadcast('note', {n: 7});
}

function softKill() {
    let answered = 0;

    for (let i = 0; i < 4; i++) {
        enqueue('slow', i, {}, function (r) {
            answered++;
            line('open at soft kill', i, outcome(r));
        });
    }
    setTimeout(function () {
        supervisor.softKill(() => line('soft kill done after', answered, 'answers'));
        enqueue('echo', 0, {}, (r) => line('after soft kill began', outcome(r)));
    }, 100);
}

function timeout() {
    enqueue('silent', 0, {timeout: 100}, function (r) {
        line('timeout', outcome(r));
        supervisor.softKill(() => line('soft kill after a timeout: done'));
        setTimeout(function () {
            line('soft kill after a timeout: not done');
            supervisor.hardKill();
        }, 3000).unref();
    });
}

function busy() {
    enqueue('busy', 0, {}, function (busyOne) {
        let left = 20, reached = 0;

        for (let i = 0; i < 20; i++) {
            enqueue('pid', i, {}, function (r) {
                reached += r.data.n === busyOne.data.n ? 1 : 0;
                if (--left === 0) {
                    line('a busy worker gets', reached ? 'requests' : 'nothing');
                    setTimeout(function () {
                        line('ready again:', spawned > 2 ? 'the worker died' : 'the worker lives');
                        supervisor.hardKill();
                    }, 800);
                }
            });
        }
    });
}

function retries() {
    let end = 'no answer';

    enqueue('die', 0, {retries: 1}, (r) => { end = outcome(r); });
    setTimeout(function () {
        line('retries 1:', spawned - 2, 'runs,', end);
        supervisor.hardKill();
    }, 2000);
}

const parts = {main: () => mixed(() => broadcast(softKill)), timeout: timeout, busy: busy, retries: retries};

supervisor.on('childSpawned', () => spawned++);
supervisor.on('double', (req) => req.respond({n: req.data.n * 2}));
supervisor.once('online', function () {
    line('online');
    parts[process.argv[2]]();
});
supervisor.start();
