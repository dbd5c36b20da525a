/*
 * What `make bench` must show, and what it should.
 */
#include "table.h"

#define BUS(figure, unit, who)   \
    {                            \
        "bus", figure, unit, who \
    }
#define HTTP(figure, unit, who)   \
    {                             \
        "http", figure, unit, who \
    }

#define RATE "round trips/s"
#define CPU  "CPU us/request"

const struct goal goals[] = {
    {"bus, 64 outstanding / npm package", BUS("64 B, 64 outstanding", RATE, "lpm"),
     BUS("64 B, 64 outstanding", RATE, "npm package"), false, 25, 40},
    {"bus, 256 outstanding / bare ring", BUS("64 B, 256 outstanding", RATE, "lpm"),
     BUS("64 B, 256 outstanding", RATE, "bare ring"), false, 0.35, 0.6},
    {"bus, 1 outstanding, p50 / bare eventfd", BUS("64 B, 1 outstanding", "us, p50", "lpm"),
     BUS("64 B, 1 outstanding", "us, p50", "eventfd"), true, 1.3, 1.1},
    {"HTTP, CPU / nginx return", HTTP("hello", CPU, "lpm"), HTTP("hello", CPU, "nginx"), true, 1.25, 1},
    {"HTTP, CPU / nginx -> unix", HTTP("hello", CPU, "lpm"), HTTP("hello", CPU, "nginx -> unix"), true, 0.5,
     0.4},
    {"HTTP, requests/s / nginx return", HTTP("hello", "requests/s", "lpm"),
     HTTP("hello", "requests/s", "nginx"), false, 0.9, 1},
    {"HTTP direct, CPU / nginx return", HTTP("hello", CPU, "lpm direct"), HTTP("hello", CPU, "nginx"), true,
     1, 0.9},
    {"1 MiB response, MiB/s / nginx -> unix", HTTP("1 MiB body", "MiB/s", "lpm"),
     HTTP("1 MiB body", "MiB/s", "nginx -> unix"), false, 1, 2},
    {"idle connection, bytes / nginx",
     {"idle", "10000 connections", "bytes each, all", "lpm"},
     {"idle", "10000 connections", "bytes each, all", "nginx"},
     true,
     1,
     0.5},
    {"dispatch, 1000000 queued / 10",
     {"bus", "1000000 queued", "bus CPU us/request", "lpm"},
     {"bus", "10 queued", "bus CPU us/request", "lpm"},
     true,
     1.2,
     1.05},
    {"dispatch, 256 idle workers / 2",
     {"dispatch", "256 workers, idle", "ns/request", "least_pressure"},
     {"dispatch", "2 workers, idle", "ns/request", "least_pressure"},
     true,
     1.2,
     1.05},
};

const size_t goal_count = sizeof(goals) / sizeof(goals[0]);
